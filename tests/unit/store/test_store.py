import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import PlaceError, StoreError
from blip_core.store import ArtifactRef, Store
from blip_core.store.faults import POINTS


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def write_two_rows(folder: Path) -> dict[str, Any]:
    (folder / "rows.txt").write_text("one\ntwo\n")
    return {"rows": 2, "model": "writer"}


def never(folder: Path) -> dict[str, Any]:
    raise AssertionError(f"{folder} was built although its key is there")


def test_what_was_published_is_found_with_its_metadata(store: Store):
    key = store.key("scenes", {"seed": 0})

    published = store.publish(key, "scenes", write_two_rows)

    assert store.find(key) == published
    assert store.has(key)
    assert (published.rows, published.kind, published.metadata["model"]) == (2, "scenes", "writer")
    assert (published.path / "rows.txt").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_an_artefact_is_for_all_who_may_read_the_store_and_for_its_maker_to_change(store: Store, mask: int):
    before = os.umask(mask)
    try:
        published = store.publish(store.key("scenes", {}), "scenes", write_two_rows)
    finally:
        os.umask(before)

    assert published.path.stat().st_mode & 0o777 == 0o755


def test_a_key_that_was_never_published_is_absent(store: Store):
    assert store.find(store.key("scenes", {})) is None
    assert not store.has(store.key("scenes", {}))
    assert store.artifacts() == []
    assert not store.root.exists()


def test_a_complete_key_is_not_built_again(store: Store):
    key = store.key("scenes", {})
    first = store.publish(key, "scenes", write_two_rows)

    assert store.publish(key, "scenes", never) == first


def test_the_digest_speaks_of_the_files_alone(store: Store):
    first = store.publish(store.key("a", {}), "a", write_two_rows)
    second = store.publish(store.key("b", {}), "b", lambda f: write_two_rows(f) | {"model": "x"})

    assert first.digest == second.digest


def test_a_reference_is_plain_json(store: Store):
    artifact = store.publish(store.key("a", {}), "a", write_two_rows)

    assert artifact.ref().model_dump(mode="json") == {
        "key": artifact.key,
        "digest": artifact.digest,
        "rows": 2,
    }


def test_a_reference_that_an_earlier_version_kept_is_read(store: Store):
    artifact = store.publish(store.key("a", {}), "a", write_two_rows)
    kept = {"path": "/elsewhere/a", **artifact.ref().model_dump(mode="json")}

    assert ArtifactRef.model_validate(kept) == artifact.ref()


def test_artifacts_are_listed_by_kind(store: Store):
    scenes = store.publish(store.key("scenes", {}), "scenes", write_two_rows)
    store.publish(store.key("labels", {}), "labels", write_two_rows)

    assert store.artifacts("scenes") == [scenes]
    assert len(store.artifacts()) == 2


def test_keys_are_listed_by_their_beginning(store: Store):
    keys = [store.publish(f"scenes-{number}", "scenes", write_two_rows).key for number in range(2)]
    store.publish("labels-0", "labels", write_two_rows)

    assert store.keys("scenes") == keys
    assert store.peek("scenes-0") == store.find("scenes-0")
    assert store.peek("scenes-2") is None


def test_who_is_alone_makes_others_wait(store: Store):
    order: list[str] = []

    def wait() -> None:
        with store.alone("features-0"):
            order.append("second")

    with store.alone("features-0"):
        second = threading.Thread(target=wait)
        second.start()
        store.publish("features-0-1", "features", write_two_rows)
        order.append("first")
    second.join(timeout=30)

    assert order == ["first", "second"]


def test_a_failed_build_leaves_nothing(store: Store):
    def fail(folder: Path) -> dict[str, Any]:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("the model fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        store.publish(store.key("a", {}), "a", fail)

    assert store.artifacts() == []
    assert list((store.root / "staging").iterdir()) == []


def test_metadata_that_is_no_json_publishes_nothing(store: Store):
    with pytest.raises(TypeError):
        store.publish(store.key("a", {}), "a", lambda folder: {"path": folder})

    assert not (store.root / "artifacts").exists()


@pytest.mark.parametrize("damage", ["changed", "cut short", "missing", "manifest"])
def test_a_damaged_artefact_is_moved_aside_and_made_anew(
    damage: str, store: Store, caplog: pytest.LogCaptureFixture
):
    key = store.key("a", {})
    path = store.publish(key, "a", write_two_rows).path
    if damage == "changed":
        (path / "rows.txt").write_text("one\nTWO\n")
    if damage == "cut short":
        (path / "rows.txt").write_text("one\n")
    if damage == "missing":
        (path / "rows.txt").unlink()
    if damage == "manifest":
        (path / "manifest.json").write_text("{")

    with caplog.at_level(logging.WARNING):
        assert store.find(key) is None

    assert "quarantine" in caplog.text
    assert [left.name for left in (store.root / "quarantine").iterdir()] == [f"{key}.0"]
    assert store.publish(key, "a", write_two_rows) == store.find(key)


def test_has_sees_a_file_that_was_cut_short(store: Store):
    key = store.key("a", {})
    path = store.publish(key, "a", write_two_rows).path
    (path / "rows.txt").write_text("one\n")

    assert not store.has(key)


def test_publishing_over_a_damaged_artefact_builds_it_again(store: Store):
    key = store.key("a", {})
    path = store.publish(key, "a", write_two_rows).path
    (path / "rows.txt").write_text("other!!\n")

    store.publish(key, "a", write_two_rows)

    assert (path / "rows.txt").read_text() == "one\ntwo\n"


def test_two_writers_of_one_key_build_it_once_and_both_get_it(store: Store):
    key = store.key("a", {})
    building, waiting = threading.Event(), threading.Event()
    found = []

    def build_while_another_waits(folder: Path) -> dict[str, Any]:
        building.set()
        waiting.wait(timeout=30)
        return write_two_rows(folder)

    def lose() -> None:
        building.wait(timeout=30)
        waiting.set()
        found.append(store.publish(key, "a", never))

    loser = threading.Thread(target=lose)
    loser.start()
    winner = store.publish(key, "a", build_while_another_waits)
    loser.join(timeout=30)

    assert found == [winner]


def test_a_shard_may_be_published_while_the_whole_is_made(store: Store):
    def whole(folder: Path) -> dict[str, Any]:
        shard = store.publish(store.key("shard", {}), "shard", write_two_rows)
        (folder / "all.txt").write_bytes((shard.path / "rows.txt").read_bytes())
        return {"rows": shard.rows}

    assert store.publish(store.key("whole", {}), "whole", whole).rows == 2
    assert len(store.artifacts()) == 2


def test_every_fault_point_is_reached_in_order(tmp_path: Path):
    reached: list[str] = []
    store = Store(tmp_path, reach=reached.append)

    store.publish(store.key("a", {}), "a", write_two_rows)

    assert tuple(reached) == POINTS


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    store = Store(occupied)

    with pytest.raises(PlaceError, match=str(occupied)):
        store.publish(store.key("a", {}), "a", write_two_rows)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_named(tmp_path: Path):
    tmp_path.chmod(0o500)
    store = Store(tmp_path)

    with pytest.raises(PlaceError, match="permissions"):
        store.publish(store.key("a", {}), "a", write_two_rows)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_said_to_be_full_and_leaves_nothing(store: Store):
    def overflow(folder: Path) -> dict[str, Any]:
        (folder / "rows.txt").write_text("one\n")
        Path("/dev/full").write_text("two")
        return {}

    with pytest.raises(StoreError, match="full"):
        store.publish(store.key("a", {}), "a", overflow)

    assert list((store.root / "staging").iterdir()) == []


def test_links_and_the_manifests_name_cannot_be_published(store: Store):
    with pytest.raises(StoreError, match="plain file"):
        store.publish(store.key("a", {}), "a", lambda f: (f / "x").symlink_to("/etc/hosts") or {})
    with pytest.raises(StoreError, match=r"manifest\.json"):
        store.publish(store.key("b", {}), "b", lambda f: (f / "manifest.json").write_text("{}") and {})


def test_a_key_cannot_leave_the_store(store: Store):
    with pytest.raises(ValueError, match="no key"):
        store.find("../elsewhere")
