import os

import pytest

from blip_core.store import Store
from blip_core.store.lineage import Lineage, made_at, made_from, newest_first, size_bytes


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def publish(store, kind, name, made_from=None):
    def build(folder):
        (folder / "rows.txt").write_text(name)
        return {} if made_from is None else {"made_from": {one.kind: one.key for one in made_from}}

    return store.publish(store.key(kind, {"name": name}), kind, build)


@pytest.fixture
def chain(store):
    """scenes -> pictures -> labels -> dataset, which names pictures, too, as a run does."""
    scenes = publish(store, "scenes", "s", [])
    pictures = publish(store, "pictures", "p", [scenes])
    labels = publish(store, "labels", "l", [pictures])
    return scenes, pictures, labels, publish(store, "dataset", "d", [pictures, labels])


def kinds(artifacts):
    return [artifact.kind for artifact in artifacts]


def test_ancestors_lead_back_to_the_first_stage_each_once(store, chain):
    lineage = Lineage(store.artifacts())
    assert sorted(kinds(lineage.ancestors(chain[3]))) == ["labels", "pictures", "scenes"]
    assert lineage.ancestor(chain[3], "scenes").key == chain[0].key
    assert lineage.ancestor(chain[0], "dataset") is None


def test_a_parent_that_another_goes_back_to_is_left_out(store, chain):
    assert kinds(Lineage(store.artifacts()).parents(chain[3])) == ["labels"]


def test_children_are_what_was_made_from_it_newest_first(store, chain):
    older, newer = (publish(store, "adapter", name, [chain[3]]) for name in ("a", "b"))
    for seconds, artifact in enumerate((older, newer)):
        os.utime(artifact.path / "manifest.json", (seconds, seconds))
    lineage = Lineage(store.artifacts())
    assert [one.key for one in lineage.children(chain[3])] == [newer.key, older.key]
    assert lineage.children(newer) == []


def test_a_grandchild_is_no_child_even_if_it_names_the_grandparent(store, chain):
    adapter = publish(store, "adapter", "a", [chain[3]])
    predictions = publish(store, "predictions", "p", [chain[3], adapter])
    lineage = Lineage(store.artifacts())
    assert lineage.children(chain[3]) == [adapter]
    assert lineage.children(adapter) == [predictions]


def test_what_the_store_no_longer_holds_is_named_as_missing(store, chain):
    lineage = Lineage([chain[3]])
    assert lineage.parents(chain[3]) == []
    assert lineage.missing(chain[3]) == {"pictures": chain[1].key, "labels": chain[2].key}


@pytest.mark.parametrize("told", [{}, {"made_from": "scenes"}, {"made_from": None}])
def test_a_manifest_that_does_not_say_gives_nothing_rather_than_an_error(store, told):
    artifact = store.publish("old-1", "dataset", lambda folder: told)
    assert made_from(artifact) is None
    assert Lineage([artifact]).ancestors(artifact) == []


def test_a_circle_in_damaged_manifests_ends(store):
    one = store.publish("a-1", "labels", lambda folder: {"made_from": {"b": "b-1"}})
    two = store.publish("b-1", "labels", lambda folder: {"made_from": {"a": "a-1"}})
    lineage = Lineage(store.artifacts())
    assert [found.key for found in lineage.ancestors(one)] == [two.key]


def test_size_and_time_are_those_of_the_published_files(store, chain):
    manifest = chain[0].path / "manifest.json"
    os.utime(manifest, (86_400, 86_400))
    assert made_at(chain[0]).isoformat() == "1970-01-02T00:00:00+00:00"
    assert size_bytes(chain[0]) == 1 + manifest.stat().st_size
    assert newest_first(chain)[-1] == chain[0]
