"""What all tests share: a home of their own, no line out of this machine, and the order of their files."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from blip_core.wiring import executors
from tests.examples import WHOLE, examples
from tests.grids import left_out

# Whole files are shared out among workers: what takes longest comes first, or one worker ends alone with it.
LONGEST_FIRST = (
    "deployments/test_server",
    "faults/test_run_kills",
    "layouts/test_others_to_ladder",
    "flows/test_phases",
    "layouts/test_sources_to_ladder",
    "flows/test_pipeline",
    "flows/test_compare_variants",
    "unit/training/test_launching",
    "flows/test_predict",
    "flows/test_stages_alone",
    "unit/reporting/test_html",
    "flows/test_foreign_machine",
    "faults/test_stage_kills",
    "unit/training/test_finetuning",
    "tasks/test_tune_adapter",
    "flows/test_plan",
    "unit/training/test_stepping",
    "campaigns/training/test_kills",
    "tracking_server/test_server",
    "unit/planning/test_plan",
    "gpu/test_report",
    "flows/test_own_tables",
    "unit/modeling/test_merging",
    "unit/training/test_feature_sources",
    "unit/training/test_starting",
    "unit/test_threads",
    "unit/tracking/test_sqlite",
    "tasks/test_predict_variant",
    "unit/launching/test_group",
    "unit/training/test_resuming",
    "flows/test_instructblip",
    "flows/test_free_tasks",
    "hub/test_pushing",
    "faults/test_damage",
    "unit/test_adapter_card",
    "flows/test_streams",
    "faults/test_full_disk",
    "unit/prefetching/test_converting",
    "tasks/test_compare",
    "tasks/test_free_tasks",
)

_HOME = tempfile.mkdtemp(prefix="foundry-tests-")

# Collecting loads every library. None of that is ever given back, so that looking for garbage in it, now and
# in each test, would take a fifth of loading it and much of what is short.
gc.disable()

# Read by libraries when they are imported, hence before any test module is.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script: children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["FOUNDRY_HOME"] = _HOME
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as in runs: two workers, and recipes that name two threads
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # threads of two workers would wait for each other's cores

# What tests put in place of models and stages is known to their own process alone: work stays there, unless a
# recipe names who works.
executors.usable_cores = lambda: 1

# How long an example takes says something of the machine, not of the code.
hypothesis.settings.register_profile("share", deadline=None, max_examples=examples(100))
hypothesis.settings.register_profile(WHOLE, deadline=None, max_examples=100)
hypothesis.settings.load_profile("share")

pytest_plugins = ["tests.made_once", "tests.servers", "tests.tiny_blip2"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole-grids", action="store_true", help="all cases of tests/grids.py, all examples")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--whole-grids"):
        hypothesis.settings.load_profile(WHOLE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--whole-grids"):
        spared = left_out(items)
        config.hook.pytest_deselected(items=list(spared))
        items[:] = [item for item in items if item not in spared]
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    tests = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        return places.get(item.path.relative_to(tests).with_suffix("").as_posix(), len(places))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@contextmanager
def process_as_it_is() -> Iterator[None]:
    """Put environment and threads back: runs settle those of their process."""
    before = dict(os.environ)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)
    if torch and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="module")
def file_begins_with_its_own_process() -> Iterator[None]:
    """What the fixtures of a whole file settle ends with it."""
    with process_as_it_is():
        yield


@pytest.fixture(autouse=True)
def test_begins_with_its_own_process() -> Iterator[None]:
    with process_as_it_is():
        yield


def pytest_unconfigure():
    shutil.rmtree(_HOME, ignore_errors=True)
