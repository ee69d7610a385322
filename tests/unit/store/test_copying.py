"""A copy of a store: whole, checked, gone on with, and nothing of the target overwritten."""

import pytest

from blip_core.errors import StoreError
from blip_core.store import Store
from blip_core.store.copying import copy_store
from blip_core.store.versions import Line, Version, lines_of


def rows(text):
    def build(folder):
        (folder / "data").mkdir()
        (folder / "data" / "rows.txt").write_text(text)
        return {"rows": 1, "made_from": {"scenes": "scenes-0"}}

    return build


def nothing(done, total):
    del done, total


@pytest.fixture
def source(tmp_path):
    store = Store(tmp_path / "source")
    for number in range(4):
        store.publish(f"rows-{number}", "rows", rows(str(number)))
    Line(store, "line-1", "gallery-vqa").add(Version("rows-0", "0", "", 1, 1, "2027-01-01"))
    return store


@pytest.fixture
def target(tmp_path):
    return Store(tmp_path / "target")


def said(store):
    return [(one.key, one.digest, dict(one.metadata)) for one in store.artifacts()]


def test_a_copy_holds_the_same_and_the_source_is_as_it_was(source, target):
    before, told = said(source), []
    done = copy_store(source, target, lambda *counts: told.append(counts))

    assert said(target) == before == said(source)
    assert lines_of(target) == lines_of(source)
    assert (len(done.copied), done.there, done.is_whole, told[-1]) == (4, (), True, (4, 4))
    assert all(target.find(one.key) for one in target.artifacts())


def test_a_second_copy_copies_only_what_is_new(source, target):
    copy_store(source, target, nothing)
    source.publish("rows-9", "rows", rows("9"))

    done = copy_store(source, target, nothing)
    assert (done.copied, len(done.there)) == (("rows-9",), 4)


def test_a_copy_that_broke_off_goes_on(source, target):
    def break_off(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, target, break_off)
    assert len(copy_store(source, target, nothing).copied) == 2
    assert said(target) == said(source)


def test_what_differs_is_told_and_stays(source, target):
    target.publish("rows-0", "rows", rows("another"))
    Line(target, "line-1", "gallery-vqa").add(Version("rows-0", "another", "", 1, 1, "2027-01-01"))

    done = copy_store(source, target, nothing)
    assert (done.differing, done.notes, done.is_whole) == (("rows-0",), ("lines/line-1.json",), False)
    assert (target.find("rows-0").path / "data" / "rows.txt").read_text() == "another"


def test_what_is_damaged_is_told_and_stays_in_the_source(source, target):
    (source.find("rows-1").path / "data" / "rows.txt").write_text("!")

    done = copy_store(source, target, nothing)
    assert (done.damaged, done.is_whole) == (("rows-1",), False)
    assert not target.has("rows-1")
    assert source.quarantined() == []


def test_a_store_is_not_copied_onto_itself(source):
    with pytest.raises(StoreError, match="name two stores"):
        copy_store(source, Store(source.root), nothing)
