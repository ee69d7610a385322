"""The pocket pipeline from the wheel alone: no checkout on the path, a working directory elsewhere."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.shortened import SHORT

BARE = Path(os.environ["BARE"])


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


def told(program: str, *typed: str, folder: Path) -> str:
    """What an installed program prints, run in a folder that is no checkout, with no path but its own."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "FOUNDRY_HOME": str(folder / "home")}
    done = subprocess.run(
        [BARE / "bin" / program, *typed],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_what_is_installed_fits_together(elsewhere: Path):
    assert "No broken requirements" in told("pip", "check", folder=elsewhere)


def test_the_version_names_the_commit(elsewhere: Path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert f"commit {head.strip()}" in told("foundry", "--version", folder=elsewhere).splitlines()


def test_the_pocket_pipeline_runs_from_the_wheel_alone(elsewhere: Path):
    changed = [word for one in SHORT for word in ("--set", one)]
    summary = json.loads(told("foundry", "run", "gallery-vqa", "--json", *changed, folder=elsewhere))
    assert set(summary["variants"]) == {"baseline", "flan-t5", "finetuned"}
    (where,) = {Path(line) for line in told("python", "-c", WHERE, folder=elsewhere).split()}
    assert BARE in where.parents
    assert list((elsewhere / "home").rglob("report.html"))


WHERE = "import blip_core; print(blip_core.__file__)"
