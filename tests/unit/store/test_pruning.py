"""Pruning: what something goes back to stays; what nothing refers to goes, oldest first."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from blip_core.errors import StoreError
from blip_core.store import Store
from blip_core.store.manifest import MANIFEST
from blip_core.store.pruning import Wanted, prunable, prune, usage
from blip_core.store.versions import Line, Version

NOW = datetime(2027, 2, 1, tzinfo=UTC)
ALL = Wanted(("leftovers", "versions", "quarantine"), timedelta(0))


@pytest.fixture
def store(tmp_path):
    """Two versions of a growing dataset, an adapter of a dataset of its own, and what led to them."""
    store = Store(tmp_path)
    for length in ("1", "2"):
        make(store, f"pictures-{length}", shards=[f"pictures-shard-{one}" for one in "12"[: int(length)]])
        make(store, f"dataset-{length}", pictures=f"pictures-{length}")
    for number in "12":
        make(store, f"pictures-shard-{number}")
    make(store, "pictures-own", shards=["pictures-shard-own"])
    make(store, "pictures-shard-own")
    make(store, "dataset-own", pictures="pictures-own")
    make(store, "adapter-own", dataset="dataset-own")
    make(store, "predictions-own", adapter="adapter-own")
    make(store, "scores-own", finetuned="predictions-own")
    make(store, "labels-lost", pictures="pictures-own", age_days=40)
    make(store, "features-lost", age_days=50)
    line = Line(store, "line-1", "gallery-vqa pocket")
    for length, parent in (("1", ""), ("2", "1")):
        line.add(Version(f"dataset-{length}", length, parent, 4 * int(length), 4, "2027-01-01"))
    return store


def make(store, key, age_days=20, shards=(), **made_from):
    def build(folder):
        (folder / "rows").write_bytes(b"." * 1000)
        return {"rows": 1, "made_from": made_from, "shards": list(shards)}

    kind = key.rpartition("-")[0]
    found = store.publish(key, kind, build)
    at = (NOW - timedelta(days=age_days)).timestamp()
    os.utime(found.path / MANIFEST, (at, at))


def keys(store, wanted=ALL):
    return [one.key for one in prunable(store, wanted, NOW)]


def test_what_nothing_refers_to_goes_oldest_first(store):
    wanted = Wanted(("leftovers",), timedelta(0))
    assert keys(store, wanted) == ["features-lost", "labels-lost", "pictures-shard-own"]


def test_an_earlier_version_goes_with_what_led_to_it_and_the_shards_of_the_last_stay(store):
    assert set(keys(store)) == {
        "features-lost",
        "labels-lost",
        "pictures-shard-own",
        "dataset-1",
        "pictures-1",
    }


@pytest.mark.parametrize("keep", [2, 3])
def test_as_many_last_versions_stay_as_are_asked_for(store, keep):
    assert "dataset-1" not in keys(store, Wanted(ALL.rules, ALL.older_than, keep))


@pytest.mark.parametrize("made", [{"kind": "adapter"}, {"kind": "scores"}, {"kind": "dataset"}])
def test_a_version_that_something_was_made_from_stays(store, made):
    make(store, f"{made['kind']}-later", rows="dataset-1")
    assert not {"dataset-1", "pictures-1"} & set(keys(store))


@pytest.mark.parametrize(("days", "gone"), [(30, 2), (45, 1), (60, 0)])
def test_only_what_is_old_enough_goes(store, days, gone):
    assert len(keys(store, Wanted(ALL.rules, timedelta(days=days)))) == gone


def test_no_more_goes_than_the_size_asks_for(store):
    total = sum(one.bytes for one in usage(store))
    assert keys(store, Wanted(ALL.rules, ALL.older_than, down_to=total)) == []
    assert keys(store, Wanted(ALL.rules, ALL.older_than, down_to=total - 1)) == ["features-lost"]
    assert len(keys(store, Wanted(ALL.rules, ALL.older_than, down_to=0))) == 5


def test_looking_changes_nothing_and_removing_leaves_the_rest_whole(store):
    before = store.artifacts()
    found = prunable(store, ALL, NOW)
    assert store.artifacts() == before
    assert prune(store, ALL, NOW) == found
    gone = {one.key for one in found}
    assert store.artifacts() == [one for one in before if one.key not in gone]
    assert all(store.find(one.key) for one in store.artifacts())
    assert keys(store) == []


@pytest.mark.parametrize("using", ["in_use", "alone", "claimed"])
def test_while_something_is_under_way_nothing_is_removed(store, using):
    held = store.claimed("one-line", "taken") if using == "claimed" else getattr(store, using)("one")
    found = prunable(store, ALL, NOW)
    with held, pytest.raises(StoreError, match="a run is under way"):
        prune(store, ALL, NOW)
    assert keys(store) == [one.key for one in found]
    assert prune(store, ALL, NOW) == found


def test_what_is_referred_to_since_it_was_looked_at_stays(store):
    looked_at = keys(store)
    make(store, "new-adapter", age_days=0, lost="features-lost")
    assert "features-lost" in looked_at
    assert "features-lost" not in [one.key for one in prune(store, ALL, NOW)]


def test_damaged_work_goes_and_is_counted(store):
    found = store.find("features-lost")
    (found.path / "rows").write_bytes(b"," * 1000)
    assert store.find("features-lost") is None
    assert {one.kind for one in usage(store)} >= {"quarantine", "dataset", "adapter"}
    (one,) = prune(store, Wanted(("quarantine",), timedelta(days=-9999)), NOW)
    assert not one.path.exists()
