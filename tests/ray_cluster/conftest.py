"""One Ray cluster of two nodes for all these tests."""

from pathlib import Path

import pytest

from deployments.cluster import cluster

PORT = 26380
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def running():
    with cluster(PORT, nodes=2, cpus=2) as started:
        yield started


@pytest.fixture(autouse=True)
def attached(running, monkeypatch):
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
