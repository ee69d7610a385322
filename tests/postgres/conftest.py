"""One PostgreSQL server for all these tests, and fresh databases for each."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres.cluster import Cluster

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # Not below pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="foundry-postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster.make(Path(folder))
        yield cluster
        cluster.stop()


@pytest.fixture
def new_database(cluster: Cluster) -> Callable[[], str]:
    return lambda: cluster.new_database(f"fresh_{next(_NUMBERS)}")
