"""Executors: the same results in the same order, whoever works, and whoever dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from blip_core.errors import BudgetSpent, FoundryError, StageFailure, TableError
from blip_core.execution import Act, Serial, WorkItem
from blip_core.execution.pool import Pool
from blip_core.execution.processes import LocalProcesses
from tests.unit.execution import doings
from tests.unit.execution.doings import DOINGS, begun, notes

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
DRIVER = """
import os, sys
from blip_core.execution import Act, WorkItem
from blip_core.execution.pool import Pool
from blip_core.execution.processes import LocalProcesses

pool = Pool(LocalProcesses(os.environ), 2, 600)
item = WorkItem("long", lambda: {"number": 1, "seconds": 600}, lambda tell: {})
told = lambda *args: print("working", flush=True)
list(pool.work(Act("tests.unit.execution.doings:opened", {"notes": sys.argv[1]}), iter([item] * 2), told))
"""


@pytest.fixture(params=["serial", "processes"])
def executor(request):
    made = Serial() if request.param == "serial" else in_processes(2)
    yield made
    made.close()


@pytest.fixture
def pool():
    made = in_processes(2)
    yield made
    made.close()


@pytest.fixture
def act(tmp_path):
    return Act(DOINGS, {"notes": str(tmp_path / "notes.txt")})


def in_processes(workers, deadline=600.0):
    return Pool(LocalProcesses({**os.environ, "PYTHONPATH": str(REPOSITORY)}), workers, deadline)


def items(act, hows) -> Iterator[WorkItem]:
    for number, how in enumerate(hows):
        item = {"number": number, "how": how}
        yield WorkItem(f"shard {number}", partial(dict, item), partial(doings.work, act.job, item))


def until_it_fails(executor, act, some):
    """What is given before an error, and the error."""
    given = []
    try:
        for result in executor.work(act, some, lambda *args: None):
            given.append(result["square"])
    except FoundryError as error:
        return given, error
    raise AssertionError("nothing failed")


def squares(executor, act, hows, tell=lambda *args: None):
    return [result["square"] for result in executor.work(act, items(act, hows), tell)]


def test_results_come_in_the_order_of_items(executor, act):
    assert squares(executor, act, ["well"] * 7) == [number**2 for number in range(7)]


def test_progress_names_the_item_by_its_number(executor, act):
    told = []
    squares(executor, act, ["well"] * 3, lambda *said: told.append(said))
    assert sorted(told) == [(0, 1, 2), (1, 1, 2), (2, 1, 2)]


def test_nobody_is_started_for_nothing(pool, act):
    assert squares(pool, act, []) == []
    assert notes(act.job) == []


def test_what_is_opened_serves_all_items_of_an_act_and_is_closed_behind_them(act):
    pool = in_processes(1)
    assert len(squares(pool, act, ["well"] * 4)) == 4
    assert len(squares(pool, act, ["well"] * 2)) == 2
    assert notes(act.job).count("opened") == 2
    wait_for(lambda: notes(act.job).count("closed") == 2)
    pool.close()


def test_a_worker_that_dies_is_replaced_and_its_item_worked_anew(pool, act):
    hows = ["well", "kill once", "well", "kill once", "well"]
    assert squares(pool, act, hows) == [0, 1, 4, 9, 16]
    assert begun(act.job, 1) == begun(act.job, 3) == 2


def test_an_item_that_ends_three_workers_is_named_and_what_others_finished_is_given(pool, act):
    given, error = until_it_fails(pool, act, items(act, ["well", "kill", "well"]))
    assert isinstance(error, StageFailure)
    assert "shard 1 ended 3 workers" in str(error)
    assert "was killed, most likely because main memory ran out" in str(error)
    assert given[:1] == [0]
    assert begun(act.job, 1) == 3


def test_an_item_past_its_deadline_is_worked_by_another(act):
    pool = in_processes(1, deadline=5.0)
    assert squares(pool, act, ["well", "hang once"]) == [0, 1]
    pool.close()


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("mistake", TableError, "^row 7 has no picture$"),
        ("memory", StageFailure, r"^memory did not suffice in worker \d: lower device.workers"),
        ("bug", RuntimeError, r"^worker \d failed: KeyError: 'gone'"),
        ("leave", StageFailure, "^shard 0 ended 3 workers.*ended with code 1: this machine is too old"),
    ],
)
def test_what_a_worker_could_not_do_is_told_in_one_line(pool, act, how, kind, words):
    with pytest.raises(kind, match=words):
        squares(pool, act, [how])


def test_what_cannot_be_opened_is_told(pool, act):
    with pytest.raises(StageFailure, match="the weights are not here"):
        squares(pool, Act("tests.unit.execution.doings:broken", act.job), ["well"])


def test_a_function_of_another_version_is_told(pool, act):
    with pytest.raises(StageFailure, match="needs the same version of this package"):
        squares(pool, Act("tests.unit.execution.doings:newer", act.job), ["well"])


def test_workers_that_never_begin_are_given_up():
    pool = Pool(LocalProcesses({**os.environ, "PYTHONHOME": "/nowhere"}), 1, 600)
    with pytest.raises(
        StageFailure, match="3 workers ended before they began; the last, worker 1 ended with code 1"
    ):
        squares(pool, Act(DOINGS, {}), ["well"])
    pool.close()


def test_when_no_more_may_be_given_out_what_is_under_way_is_finished(executor, act):
    def limited():
        yield from items(act, ["well"] * 2)
        raise BudgetSpent("no request is left")

    given, error = until_it_fails(executor, act, limited())
    assert isinstance(error, BudgetSpent)
    assert given == [0, 1]


def test_whoever_stops_listening_leaves_no_work_behind(pool, act):
    results = pool.work(act, items(act, ["well", "hang once", "hang once"]), lambda *args: None)
    next(results)
    results.close()
    assert squares(pool, act, ["well"] * 3) == [0, 1, 4]


def test_workers_go_with_a_killed_driver(tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "notes.txt")], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert driver.stdout is not None
    for _ in range(2):
        assert driver.stdout.readline() == b"working\n"
    workers = psutil.Process(driver.pid).children(recursive=True)
    assert len(workers) == 2
    os.kill(driver.pid, signal.SIGKILL)
    wait_for(lambda: not any(is_running(worker) for worker in workers))
    driver.communicate()


def is_running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
