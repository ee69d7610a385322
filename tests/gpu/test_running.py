"""Whatever becomes of a part, those before it are kept, and those after it have their turn."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.gpu.stand_in_report import begin

PATIENCE_S = 60


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def outcomes(folder: Path) -> list[tuple[str, int]]:
    return [(part["status"], len(part["figures"])) for part in read(folder)["parts"]]


@pytest.mark.parametrize(
    ("name", "outcome", "error"),
    [
        ("hangs", ("stopped", 1), ""),
        ("breaks", ("failed", 1), "ValueError: broken"),
        ("dies", ("failed", 1), "the process ended by SIGSEGV"),
        ("nan", ("failed", 1), "ValueError: Out of range float values are not JSON compliant"),
    ],
)
def test_a_part_that_fails_loses_itself_alone(
    name: str, outcome: tuple[str, int], error: str, tmp_path: Path
) -> None:
    begin(tmp_path, ["works", name, "works-too"], bound_s=3.0)

    assert outcomes(tmp_path) == [("done", 2), outcome, ("done", 2)]
    assert read(tmp_path)["parts"][1]["error"].startswith(error)
    assert read(tmp_path)["status"] == "finished"


def test_parts_share_a_process_until_one_fails(tmp_path: Path) -> None:
    begin(tmp_path, ["one", "two", "breaks", "three"])

    one, two, _, three = (part["figures"][-1]["value"] for part in read(tmp_path)["parts"])
    assert one == two != three


def test_what_there_is_no_time_for_is_not_begun(tmp_path: Path) -> None:
    begin(tmp_path, ["works", "never"], minutes=0.05)

    assert outcomes(tmp_path) == [("not started", 0), ("not started", 0)]


def test_peaks_are_kept_for_later_parts_and_left_out_of_figures(tmp_path: Path) -> None:
    report = begin(tmp_path, ["works"])

    assert report.peaks == {"matmul_tflops": 2.0}
    assert all("peaks" not in figures for figures in read(tmp_path)["parts"][0]["figures"])


@pytest.mark.parametrize("done", [0, 1, 2])
def test_killed_in_the_middle_of_a_part_all_before_it_are_whole(done: int, tmp_path: Path) -> None:
    process = start(tmp_path, ["works"] * done + ["hangs", "never"])
    wait_until(lambda: reached(tmp_path, done, figures=1))
    measuring = read(tmp_path)["machine"]["pid"]

    process.kill()
    process.wait()

    assert outcomes(tmp_path) == [("done", 2)] * done + [("running", 1), ("waiting", 0)]
    assert read(tmp_path)["status"] == "running"
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# stand-in, 2026-11-30")
    wait_until(lambda: not psutil.pid_exists(measuring))


@pytest.mark.parametrize("instant", range(6))
def test_killed_at_any_instant_it_leaves_a_whole_file(instant: int, tmp_path: Path) -> None:
    process = start(tmp_path, ["works"] * 400)
    wait_until((tmp_path / "report.json").exists)
    time.sleep(0.3 * instant)

    process.kill()
    process.wait()

    statuses = [status for status, _ in outcomes(tmp_path)]
    finished = statuses.count("done")
    assert statuses[:finished] == ["done"] * finished
    assert set(statuses[finished + 1 :]) <= {"waiting"}


def test_asked_to_end_it_says_so_and_takes_its_process_along(tmp_path: Path) -> None:
    process = start(tmp_path, ["hangs"])
    wait_until(lambda: reached(tmp_path, 0, figures=1))
    measuring = read(tmp_path)["machine"]["pid"]

    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE_S)

    assert read(tmp_path)["status"] == "stopped"
    assert not psutil.pid_exists(measuring)


def start(folder: Path, names: list[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.gpu.stand_in_report", str(folder), *names]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ))


def reached(folder: Path, part: int, figures: int) -> bool:
    if not (folder / "report.json").exists():
        return False
    return len(read(folder)["parts"][part]["figures"]) >= figures


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
