"""What all tests share: a home of their own, and no line out of this machine."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

_HOME = tempfile.mkdtemp(prefix="foundry-tests-")

# Read by libraries when they are imported, hence before any test module is.
os.environ["FOUNDRY_HOME"] = _HOME
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as in runs: two workers, and recipes that name two threads
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # threads of two workers would wait for each other's cores

# How long an example takes says something of the machine, not of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["tests.tiny_blip2"]


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Runs settle environment and threads of their process: the next test begins with its own."""
    before = dict(os.environ)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)
    if torch and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def pytest_unconfigure():
    shutil.rmtree(_HOME, ignore_errors=True)
