"""Workers are started for what is worth it, and never for one item."""

import psutil
import pytest

from blip_core.errors import BudgetSpent
from blip_core.execution import Act, Serial, Sparing, WorkItem
from blip_core.execution.cores import usable_cores
from blip_core.recipes import load_recipe
from blip_core.wiring import executors

ACT = Act("", {})


class Employed(Serial):
    def __init__(self):
        self.worked = 0
        self.is_closed = False

    def work(self, act, items, tell):
        for result in super().work(act, items, tell):
            self.worked += 1
            yield result

    def close(self):
        self.is_closed = True


def items(*rows):
    for number, count in enumerate(rows):
        yield WorkItem(f"shard {number}", dict, lambda tell, number=number: {"number": number}, count)


def worked(executor, some):
    return [result["number"] for result in executor.work(ACT, some, lambda *args: None)]


@pytest.mark.parametrize("rows", [(), (96,), (96, 4)])
def test_what_is_no_more_than_one_whole_item_is_worked_here(rows):
    executor = Sparing(lambda: pytest.fail("workers were started"))
    assert worked(executor, items(*rows)) == list(range(len(rows)))
    executor.close()


def test_two_whole_items_are_worth_workers_which_then_work_whatever_comes():
    workers = Employed()
    executor = Sparing(lambda: workers)
    assert worked(executor, items(96, 96, 4)) == [0, 1, 2]
    assert worked(executor, items(1)) == [0]
    assert workers.worked == 4
    executor.close()
    assert workers.is_closed


def test_what_is_before_an_error_is_worked_before_it_is_raised():
    def ending():
        yield from items(96)
        raise BudgetSpent("enough")

    given = Sparing(lambda: pytest.fail("workers were started")).work(ACT, ending(), lambda *args: None)
    assert next(given)["number"] == 0
    with pytest.raises(BudgetSpent):
        next(given)


@pytest.fixture
def machine(monkeypatch):
    """A machine of so many cores and bytes."""

    def with_(cores, free):
        monkeypatch.setattr(executors, "usable_cores", lambda: cores)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": free}))

    return with_


@pytest.mark.parametrize(
    ("cores", "free", "workers"),
    [(2, 10**11, 2), (64, 10**11, 64), (8, 2 * 10**9, 2), (8, 10**9, 1), (1, 10**11, 1)],
)
def test_auto_takes_a_worker_a_core_as_far_as_memory_holds_them(machine, cores, free, workers):
    machine(cores, free)
    assert executors.local_workers(load_recipe("gallery-vqa", "pocket")).count == workers


def test_auto_leaves_a_gpu_to_one_process(machine, monkeypatch):
    machine(8, 10**12)
    monkeypatch.setattr(executors, "device_of", lambda recipe: "cuda")
    recipe = load_recipe("gallery-vqa", "datacenter")
    assert executors.local_workers(recipe).count == 1
    assert isinstance(executors.build_executor(recipe), Serial)


def test_a_checkpoint_that_a_later_stage_lacks_keeps_no_worker_from_this_one(machine, tmp_path):
    machine(2, 10**11)
    missing = f"finetune.base={tmp_path}/not-fetched-yet"
    assert executors.local_workers(load_recipe("gallery-vqa", "pocket", [missing])).count == 2


@pytest.mark.parametrize(("gpus", "workers"), [(0, 16), (1, 1), (4, 4)])
def test_processes_without_a_number_are_one_a_gpu_else_one_a_core(machine, monkeypatch, gpus, workers):
    machine(16, 10**12)
    monkeypatch.setattr(executors, "_gpus", lambda recipe: [{"CUDA_VISIBLE_DEVICES": "0"}] * gpus)
    monkeypatch.setattr(executors, "_processes", lambda recipe, count: count)
    recipe = load_recipe("gallery-vqa", "datacenter", ["device.executor=processes"])
    assert executors.build_executor(recipe) == workers


@pytest.mark.parametrize(
    ("said", "cores"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("nonsense", None)]
)
def test_a_container_has_the_cores_that_it_is_granted(tmp_path, said, cores):
    quota = tmp_path / "cpu.max"
    quota.write_text(said)
    assert usable_cores(quota) == (cores or usable_cores(tmp_path / "none"))
