"""A prediction is killed at random again and again; the run that ends writes the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from blip_core.pocket.evalset import load_bundled
from tests.campaigns.kill.conftest import Campaign

KILLS = 10
ROWS = 1_200  # several shards
FILES = ("submission.csv", "predictions.parquet", "problems.csv", "scores.json")
_MOST_RUNS = 4 * KILLS


def start(table: Path, home: Path, out: Path) -> subprocess.Popen[bytes]:
    """`foundry predict` in a process group of its own."""
    command = [
        sys.executable,
        "-m",
        "flows.cli.app",
        "predict",
        str(table),
        "--variant",
        "flan-t5",
        "--out",
        str(out),
    ]
    with (home.parent / f"{home.name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | {"FOUNDRY_HOME": str(home)},
            start_new_session=True,
        )


def answers(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


def shards(home: Path) -> int:
    return len(list((home / "store" / "artifacts").glob("predictions-shard*")))


def test_a_prediction_is_killed(campaign: Campaign, tmp_path: Path):
    draw = random.Random(campaign.seed)
    table = tmp_path / "questions.parquet"
    pq.write_table(load_bundled("shifted").slice(0, ROWS), table)
    began = time.monotonic()
    assert start(table, tmp_path / "calm", tmp_path / "calm-out").wait() == 0
    seconds = time.monotonic() - began
    undisturbed = answers(tmp_path / "calm-out")

    home, out = tmp_path / "home", tmp_path / "out"
    killed = kept = 0
    for number in range(_MOST_RUNS):
        run = start(table, home, out)
        ended: int | None = None
        try:
            ended = run.wait(draw.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            killed += 1
        assert ended in (None, 0)
        assert shards(home) >= kept  # what was answered stays
        kept = shards(home)
        if killed == KILLS:
            break
        if ended == 0:  # it was quicker than the kill: begin anew elsewhere
            home, out, kept = tmp_path / f"home-{number}", tmp_path / f"out-{number}", 0
    assert killed == KILLS
    assert start(table, home, out).wait() == 0
    assert answers(out) == undisturbed
