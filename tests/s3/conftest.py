"""A bucket on moto's server, and stores in it."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blip_core.store import Store
from blip_core.store.places.cache import Cache
from blip_core.store.places.objects import Objects
from blip_core.store.places.s3 import S3Place
from tests.s3 import moto

LEASE_S = 3.0
"""As short as servers that count in seconds allow."""

Opens = Callable[[str], Store]


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    with moto.running() as port:
        yield port


@pytest.fixture
def address(server: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty prefix of the bucket, which the environment gives access to."""
    for name, value in moto.environment(server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{moto.BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def opened(address: str, tmp_path: Path) -> Opens:
    """Opens the store as a machine of some name, which has a cache of its own."""

    def open_as(machine: str = "one", bound_bytes: int = 10**9, **options: object) -> Store:
        cache = Cache(tmp_path / machine, bound_bytes)
        return Store(S3Place(Objects(address, allow_http=True, patience_s=1.0), cache, LEASE_S), **options)

    return open_as
