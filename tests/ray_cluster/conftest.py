"""One Ray cluster of two nodes for all these tests, whose nodes have the login of a bucket."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from deployments.cluster import cluster
from tests.s3 import moto

PORT = 26380
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bucket():
    """The environment of whoever may use a bucket."""
    with moto.running() as port:
        yield {**moto.environment(port), "FOUNDRY_STORE": f"s3://{moto.BUCKET}/shared"}


@pytest.fixture(scope="session")
def running(bucket):
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in bucket.items():
            patch.setenv(name, value)
        started = stack.enter_context(cluster(PORT, nodes=2, cpus=2))
        patch.undo()
        yield started


@pytest.fixture(autouse=True)
def attached(running, monkeypatch):
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
