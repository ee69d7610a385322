import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil
import pytest

from blip_core.errors import FoundryError, StageFailure, TrainingFailure
from blip_core.launching import run_together

pytestmark = pytest.mark.slow

DOINGS = "tests.unit.launching.doings"
SECONDS_TO_GO = 60.0
ASKER = f"""
import os
from blip_core.launching import run_together

def tell(said):
    print(*said["others"], said["launcher"], flush=True)

run_together("{DOINGS}", {{"end": "never"}}, 2, os.environ, tell)
"""


def let_end(how: str, **options: Any) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    told: list[Mapping[str, Any]] = []
    return run_together(DOINGS, {"end": how}, 2, os.environ, told.append, **options), told


def wait_until_gone(pids: list[int]) -> list[int]:
    """Those that are still there after a long time."""
    deadline = time.monotonic() + SECONDS_TO_GO
    while (left := [pid for pid in pids if _is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_the_first_process_tells_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")

    result, told = let_end("well", threads=3, one_gpu_each=True)

    assert result == {"answer": 42}
    assert [(said["threads"], said["gpus"], said["listening"]) for said in told] == [("3", "4", [])]


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        ("mistake", TrainingFailure, "^the loss is no number; lower finetune.learning_rate$"),
        ("memory", StageFailure, "^memory did not suffice in process 2 of 2: lower device.processes"),
        ("kill", StageFailure, "^process 2 of 2 was killed, most likely because main memory ran out"),
    ],
)
def test_what_a_process_could_not_do_is_told_in_one_line(
    end: str, kind: type[FoundryError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        let_end(end)

    assert "\n" not in str(caught.value)


def test_what_cannot_be_begun_is_told_by_its_last_line() -> None:
    with pytest.raises(StageFailure, match=r"^process 1 of 1 ended with code 1: .*No module named"):
        run_together("tests.unit.launching.missing", {}, 1, os.environ, print)


def test_what_should_never_happen_comes_with_its_stack_trace() -> None:
    with pytest.raises(RuntimeError, match="process 2 of 2 failed: KeyError: 'gone'") as caught:
        let_end("bug")

    assert 'raise KeyError("gone")' in caught.value.__notes__[0]


@pytest.mark.parametrize("victim", ["asker", "launcher"])
def test_nothing_is_left_behind_by_a_kill(victim: str) -> None:
    asker = subprocess.Popen([sys.executable, "-c", ASKER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert asker.stdout is not None
    *workers, launcher = (int(pid) for pid in asker.stdout.readline().split())
    assert len(workers) == 2
    assert all(_is_running(pid) for pid in (*workers, launcher))

    os.kill(asker.pid if victim == "asker" else launcher, signal.SIGKILL)

    assert wait_until_gone([*workers, launcher, asker.pid]) == []
    asker.communicate()


def test_nothing_is_left_behind_by_an_end_from_outside() -> None:
    pids: list[int] = []

    def stop(said: Mapping[str, Any]) -> None:
        pids.extend([*said["others"], said["launcher"]])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_together(DOINGS, {"end": "never"}, 2, os.environ, stop)

    assert len(pids) == 3
    assert [pid for pid in pids if _is_running(pid)] == []
