"""Secrets of the environment stand in nothing that a command prints, logs, records or leaves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.examples import png, world_pixels

pytestmark = pytest.mark.slow

CANARY = "c4n4ry"
SECRETS = {
    "HF_TOKEN": f"hf_{CANARY}",
    "OPENAI_API_KEY": f"sk-{CANARY}",
    "FOUNDRY_SERVE_KEY": f"key-{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"aws-{CANARY}",
    "WANDB_API_KEY": f"wandb-{CANARY}",
    "RAY_AUTH_TOKEN": f"ray-{CANARY}",
}
NOBODY = "http://127.0.0.1:1"  # where no server answers


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(png(world_pixels(number)))
    rows = "".join(f"{number}.png,What is shown?,dog,boat,tree,cup,A\n" for number in range(2))
    (tmp_path / "t.csv").write_text(f"image,question,a,b,c,d,answer\n{rows}")
    return tmp_path / "t.csv"


def predict(table: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Answer a table in a process whose environment holds secrets."""
    home = table.parent / "home"
    command = [sys.executable, "-m", "flows.cli.app", "predict", str(table), "--variant", "flan-t5"]
    return subprocess.run(
        [*command, "--out", str(table.parent / "answers")],
        env=os.environ | SECRETS | {"FOUNDRY_HOME": str(home)} | environment,
        cwd=Path(__file__).parents[2], capture_output=True, check=False,
    )  # fmt: skip


def holding(folder: Path) -> Iterator[str]:
    """Files below a folder in which the canary stands: logs, databases, records, answers."""
    for path in folder.rglob("*"):
        if path.is_file() and CANARY.encode() in path.read_bytes():
            yield str(path.relative_to(folder))


def test_a_run_leaves_no_secret_anywhere(table: Path):
    done = predict(table)
    assert done.returncode == 0, done.stderr.decode()
    assert CANARY.encode() not in done.stdout + done.stderr
    home = table.parent / "home"
    assert {path.name for path in home.rglob("*.db")} == {"mlflow.db", "prefect.db"}
    assert list(holding(table.parent)) == []


def test_a_server_that_is_away_is_told_without_its_login(table: Path):
    away = NOBODY.replace("://", f"://me:{CANARY}@")
    done = predict(table, MLFLOW_TRACKING_URI=away, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")
    assert CANARY.encode() not in done.stdout + done.stderr
    assert list(holding(table.parent)) == []

    done = predict(table, PREFECT_API_URL=f"{away}/api")
    assert NOBODY.encode() in done.stdout + done.stderr
    assert CANARY.encode() not in done.stdout + done.stderr
    assert list(holding(table.parent)) == []
