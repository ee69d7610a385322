"""A cache's disk that fills: what nobody uses goes; where all is in use, one plain error."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import StoreError
from tests.faults.test_full_disk import give_room, small_disk  # noqa: F401 - a fixture
from tests.s3.conftest import Opens

pytestmark = [pytest.mark.s3, pytest.mark.slow]

FETCH = (
    "import sys; from tests.s3.writers import shared\n"
    "print(shared(sys.argv[1], sys.argv[2]).find(sys.argv[3]).digest)"
)


def large(folder: Path) -> dict[str, Any]:
    (folder / "data").write_bytes(os.urandom(150_000))  # two do not fit on the small disk
    return {}


@pytest.fixture
def cache(small_disk: Path) -> str:  # noqa: F811
    return str(small_disk / "cache")


def fetch(address: str, cache: str, key: str) -> subprocess.CompletedProcess[str]:
    """Fetch an artefact in a process of its own, which uses it until it ends."""
    command = [sys.executable, "-c", FETCH, address, cache, key]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_nobody_uses_makes_room(opened: Opens, cache: str):
    store = opened()
    for key in ("a-0", "a-1"):
        made = store.publish(key, "a", large)
        assert fetch(store.address, cache, key).stdout.strip() == made.digest
    assert [path.name for path in (Path(cache) / "artifacts").iterdir()] == ["a-1"]


def test_where_all_is_in_use_the_disk_is_said_to_be_full(opened: Opens, cache: str):
    from tests.s3.writers import shared

    store = opened()
    for key in ("a-0", "a-1"):
        store.publish(key, "a", large)
    small = shared(store.address, cache)
    kept = small.find("a-0")
    with pytest.raises(StoreError, match=r"disk of the store .*cache is full.*make room"):
        small.find("a-1")
    assert kept.path.exists()
    give_room(Path(cache).parent)
    assert small.find("a-1") is not None
