import os

import pytest

from blip_core.errors import CheckpointError
from blip_core.prefetching import LockedCheckpoint, Need, damage, read_lock
from blip_core.prefetching.damage import lock_file
from blip_core.prefetching.lock import write_lock


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "model.safetensors").write_text("weights")
    return tmp_path / "model"


@pytest.fixture
def locked(folder):
    files = {name: lock_file(folder / name) for name in ("config.json", "model.safetensors")}
    return LockedCheckpoint("c" * 40, "", files)


def test_a_lock_reads_back_as_it_was_written(tmp_path, locked):
    write_lock(tmp_path / "lock.json", {"owner/model": locked})
    assert read_lock(tmp_path / "lock.json") == {"owner/model": locked}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["lock.json"]


def test_no_lock_file_locks_nothing(tmp_path):
    assert read_lock(tmp_path / "lock.json") == {}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"schema_version": 2, "checkpoints": {}}', '{"checkpoints": {}}']
)
def test_a_damaged_lock_says_what_to_do(tmp_path, content):
    (tmp_path / "lock.json").write_text(content)
    with pytest.raises(CheckpointError, match="move it away and prefetch again"):
        read_lock(tmp_path / "lock.json")


def test_a_folder_as_it_was_locked_has_no_damage(folder, locked):
    (folder / "README.md").write_text("not read by any loader")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "tree.json").write_text("{}")
    assert damage(folder, locked, thorough=True) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "config.json").write_text("[1]"), "config.json has 3 bytes instead of 2"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json is not what was locked"),
        (
            lambda folder: (folder / "adapter_config.json").write_text("{}"),
            "adapter_config.json is not in the lock",
        ),
    ],
)
def test_whatever_is_done_to_a_folder_is_found(folder, locked, harm, said):
    harm(folder)
    assert [line for line in damage(folder, locked) if line.startswith(said)]


def test_a_copied_folder_is_read_once_and_passes(folder, locked):
    os.utime(folder / "config.json", ns=(1, 1))
    assert damage(folder, locked) == []


def test_a_change_that_keeps_size_and_time_is_found_by_the_thorough_look_only(folder, locked):
    path = folder / "model.safetensors"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text("WEIGHTS")
    os.utime(path, ns=times)
    assert damage(folder, locked) == []
    assert len(damage(folder, locked, thorough=True)) == 1


def test_the_version_follows_commit_and_files(folder, locked):
    copied = LockedCheckpoint("", "", locked.files)
    assert locked.version.startswith("c" * 40)
    assert copied.version == f"local-{locked.digest[:16]}"
    (folder / "config.json").write_text("[]")
    changed = LockedCheckpoint(
        locked.commit, "", locked.files | {"config.json": lock_file(folder / "config.json")}
    )
    assert changed.version != locked.version


@pytest.mark.parametrize(
    ("need", "covered"),
    [
        (Need("owner/model", "", ()), True),
        (Need("owner/model", "c" * 40, ()), True),
        (Need("owner/model", "v2", ()), False),
        (Need("owner/model", "", (), gguf=("q4.gguf",)), False),
    ],
)
def test_a_lock_covers_what_it_has_at_the_revision_asked_for(locked, need, covered):
    assert locked.covers(need) == covered
