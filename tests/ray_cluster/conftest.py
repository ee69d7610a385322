"""One Ray cluster of two nodes for all these tests, whose nodes have the login of a bucket."""

from pathlib import Path

import pytest

from deployments.cluster import cluster
from tests.s3 import moto

PORT = 26380
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bucket():
    """Address of a store in a bucket; nodes have its login, those that come later, too."""
    with moto.running() as port, pytest.MonkeyPatch.context() as patch:
        for name, value in moto.environment(port).items():
            patch.setenv(name, value)
        yield f"s3://{moto.BUCKET}/shared"


@pytest.fixture(scope="session")
def running(bucket):
    with cluster(PORT, nodes=2, cpus=2) as started:
        yield started


@pytest.fixture(autouse=True)
def attached(running, monkeypatch):
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
