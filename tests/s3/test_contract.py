"""What every place for a store owes, whichever it is."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import StoreError
from blip_core.store import Store
from blip_core.store.faults import POINTS
from blip_core.store.lineage import made_at, size_bytes
from blip_core.store.places.place import Taken
from blip_core.store.pruning import Wanted, prune, usage
from blip_core.store.versions import Line, Version, lines_of

PLACES = ["folder", pytest.param("s3", marks=pytest.mark.s3)]


@pytest.fixture(params=PLACES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(tmp_path / "store")
    return request.getfixturevalue("opened")()


def two_rows(folder: Path) -> dict[str, Any]:
    (folder / "data").mkdir()
    (folder / "data" / "rows.txt").write_text("one\ntwo\n")
    (folder / "empty").touch()
    return {"rows": 2, "model": "writer"}


def never(folder: Path) -> dict[str, Any]:
    raise AssertionError(f"{folder} was built although its key is there")


def test_what_was_published_is_found(store: Store):
    published = store.publish("scenes-0", "scenes", two_rows)

    assert store.find("scenes-0") == published
    assert store.has("scenes-0")
    assert (published.path / "data" / "rows.txt").read_text() == "one\ntwo\n"
    assert store.publish("scenes-0", "scenes", never) == published


def test_a_key_that_was_never_published_is_absent(store: Store):
    assert store.find("scenes-0") is None
    assert store.peek("scenes-0") is None
    assert store.artifacts() == []
    assert store.keys("scenes") == []


def test_the_digest_hangs_on_the_files_alone(store: Store, tmp_path: Path):
    here = Store(tmp_path / "other").publish("scenes-0", "scenes", two_rows)

    assert store.publish("scenes-0", "scenes", two_rows).digest == here.digest


def test_names_that_addresses_cannot_hold_are_kept(store: Store):
    names = ["a b", "%41", "ü#?", "x+y", "per%2Fcent"]

    def build(folder: Path) -> dict[str, Any]:
        for number, name in enumerate(names):
            (folder / name).write_text(str(number))
        return {}

    store.publish("a-0", "a", build)
    (listed,) = store.artifacts()

    assert {
        path.name: path.read_text() for path in listed.path.iterdir() if path.name != "manifest.json"
    } == {name: str(number) for number, name in enumerate(names)}


def test_artefacts_are_listed_by_kind_and_keys_by_their_beginning(store: Store):
    made = [store.publish(f"scenes-{number}", "scenes", two_rows) for number in range(3)]
    store.publish("labels-0", "labels", two_rows)
    store.publish("sceneries-0", "labels", two_rows)

    assert store.artifacts("scenes") == made
    assert store.keys("scenes-") == [one.key for one in made]
    assert len(store.artifacts()) == 5
    assert store.artifacts("scenes")[0].path.joinpath("data", "rows.txt").read_text() == "one\ntwo\n"


def test_age_and_size_are_those_of_what_was_published(store: Store):
    store.publish("scenes-0", "scenes", two_rows)
    (listed,) = store.artifacts()

    assert abs(datetime.now(UTC) - made_at(listed)) < timedelta(minutes=5)
    assert size_bytes(listed) > len("one\ntwo\n")
    assert usage(store)[0].bytes == size_bytes(listed)


def test_a_build_that_fails_leaves_nothing(store: Store):
    def fail(folder: Path) -> dict[str, Any]:
        two_rows(folder)
        raise RuntimeError("the model fell over")

    with pytest.raises(RuntimeError):
        store.publish("a-0", "a", fail)
    with pytest.raises(TypeError):
        store.publish("a-0", "a", lambda folder: {"path": folder})

    assert store.artifacts() == []
    assert list((store.root / "staging").iterdir()) == []


def test_every_fault_point_is_reached_in_order(store: Store):
    reached: list[str] = []

    Store(store.place, reach=reached.append).publish("a-0", "a", two_rows)

    assert tuple(reached) == POINTS


def test_writers_of_one_key_build_it_once(store: Store):
    building, found = threading.Event(), []

    def slowly(folder: Path) -> dict[str, Any]:
        building.set()
        loser.join(timeout=0.5)
        return two_rows(folder)

    def lose() -> None:
        building.wait(timeout=30)
        found.append(store.publish("a-0", "a", never))

    loser = threading.Thread(target=lose)
    loser.start()
    winner = store.publish("a-0", "a", slowly)
    loser.join(timeout=30)

    assert found == [winner]


def test_one_is_inside_a_claim_and_the_other_is_told(store: Store):
    with (
        store.claimed("a-line", "taken"),
        pytest.raises(StoreError, match="taken"),
        store.claimed("a-line", "taken"),
    ):
        raise AssertionError("two were inside")
    with store.claimed("a-line", "taken"):
        pass


@pytest.mark.parametrize("using", ["in_use", "alone"])
def test_while_something_is_under_way_nothing_is_removed(store: Store, using: str):
    store.publish("labels-0", "labels", two_rows)
    everything = Wanted(("leftovers",), timedelta(days=-1))

    with getattr(store, using)("one"), pytest.raises(StoreError, match="a run is under way"):
        prune(store, everything, datetime.now(UTC))
    assert [one.key for one in prune(store, everything, datetime.now(UTC))] == ["labels-0"]
    assert store.find("labels-0") is None
    assert store.artifacts() == []


def test_versions_of_a_dataset_follow_each_other(store: Store):
    line = Line(store, "line-1", "gallery-vqa pocket")
    first, second = Version("d-1", "1", "", 4, 4, "2027"), Version("d-2", "2", "1", 8, 8, "2027")
    line.add(first)
    line.add(second)

    assert Line(store, "line-1", "").versions() == (first, second)
    assert lines_of(store) == {"line-1 gallery-vqa pocket": (first, second)}
    with pytest.raises(StoreError, match="extended by another run"):
        line.add(Version("d-3", "3", "1", 9, 9, "2027"))


def test_a_note_that_somebody_replaced_is_not_replaced_again(store: Store):
    store.place.write_note("lines/a.json", b"1", None)
    with pytest.raises(Taken):
        store.place.write_note("lines/a.json", b"2", None)
    with pytest.raises(Taken):
        store.place.write_note("lines/a.json", b"2", b"0")
    store.place.write_note("lines/a.json", b"2", b"1")

    assert store.place.read_note("lines/a.json") == b"2"


def test_damaged_work_is_put_aside_made_anew_and_forgotten(store: Store, caplog: pytest.LogCaptureFixture):
    made = store.publish("a-0", "a", two_rows)
    damage(store, made.path)

    with caplog.at_level(logging.WARNING):
        assert store.find("a-0") is None
    assert "quarantine" in caplog.text
    assert store.publish("a-0", "a", two_rows) == store.find("a-0")
    assert [one.name for one in store.quarantined()] == ["a-0.0"]
    store.forget_damaged("a-0.0")
    assert store.quarantined() == []


def damage(store: Store, folder: Path) -> None:
    """Alter one byte of what was published, and of what this machine keeps of it."""
    path = folder / "data" / "rows.txt"
    path.write_text("one\nTWO\n")
    objects = getattr(store.place, "objects", None)
    if objects is not None:
        (name,) = [one.name for one in objects.list("artifacts/a-0") if one.name.endswith("rows.txt")]
        objects.put(name, path.read_bytes())
