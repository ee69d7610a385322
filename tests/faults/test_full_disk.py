"""A disk that fills up: one plain error, nothing finished is lost, and with room the run goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blip_core.errors import StoreError, TrackingError
from blip_core.store import Store
from blip_core.tracking import JournalTracker
from tests.faults.conftest import Undisturbed
from tests.faults.forge import Forge
from tests.faults.stages import DIGESTS, WORK

pytestmark = pytest.mark.slow

SMALL = "256k"
LARGE = "64m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of `SMALL` bytes, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def give_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(disk)], check=True)


def write_until_full(folder: Path) -> None:
    (folder / "rows.bin").write_bytes(os.urandom(1 << 20))


def test_a_full_disk_is_one_plain_error_and_leaves_nothing_behind(small_disk: Path):
    store = Store(small_disk / "store")
    store.publish("kept", "rows", lambda folder: {"rows": (folder / "rows.txt").write_text("one")})
    with pytest.raises(StoreError, match=r"is full.*make room and run again"):
        store.publish("large", "rows", lambda folder: write_until_full(folder) or {})
    assert [artifact.key for artifact in store.artifacts()] == ["kept"]
    assert list((store.root / "staging").iterdir()) == []
    give_room(small_disk)
    assert store.publish("large", "rows", lambda folder: write_until_full(folder) or {}).path.is_dir()


def test_a_journal_on_a_full_disk_is_one_plain_error(small_disk: Path):
    run = JournalTracker(small_disk / "journal").start("gallery", "full", {})
    with pytest.raises(TrackingError, match=r"journal.*No space left"):
        run.tags({"note": "x" * 1_000_000})
    give_room(small_disk)
    run.finish()


def test_stages_that_ran_into_a_full_disk_go_on_when_there_is_room(
    small_disk: Path, undisturbed: Undisturbed, forge: Forge
):
    job = {"home": str(small_disk), "overrides": undisturbed.recipe}
    assert forge.run(WORK, **job) == 1
    assert "is full" in forge.log.read_text()
    store = Store(small_disk / "store")
    finished = store.artifacts()
    assert finished
    assert all(store.find(artifact.key) == artifact for artifact in finished)

    give_room(small_disk)
    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    assert json.loads((small_disk / DIGESTS).read_text()) == undisturbed.digests


LIMITED = """
import resource, sys
from pathlib import Path
from blip_core.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
write = lambda folder: (folder / "rows").write_bytes(bytes(2000)) and {}
Store(Path(sys.argv[1])).publish("large", "rows", write)
"""


def test_a_file_above_the_users_limit_reads_as_a_full_disk(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "StoreError" in said.stderr.splitlines()[-1]
    assert Store(tmp_path).artifacts() == []
