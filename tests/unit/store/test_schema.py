"""A store of a later version is refused in a sentence, and nothing of it is put aside."""

import json
from dataclasses import replace

import pytest

from blip_core.errors import PlaceError
from blip_core.store import Store
from blip_core.store.manifest import MANIFEST, Manifest
from blip_core.store.schema import SCHEMA_NOTE


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def publish(store, key="a-0"):
    return store.publish(key, "a", lambda folder: {"rows": (folder / "rows").write_text("one")})


def test_a_new_store_is_marked(store):
    publish(store)
    assert json.loads((store.root / SCHEMA_NOTE).read_text()) == {"schema_version": 1}


def test_a_store_that_an_earlier_version_made_is_read_and_marked(store):
    made = publish(store)
    (store.root / SCHEMA_NOTE).unlink()
    later = Store(store.root)

    assert later.find("a-0") == made
    publish(later, "b-0")
    assert (store.root / SCHEMA_NOTE).exists()


@pytest.mark.parametrize(
    ("note", "said"), [('{"schema_version": 2}', "later blip-foundry"), ("{", "does not tell the version")]
)
def test_a_store_of_a_later_version_is_not_written_to(store, note, said):
    store.root.mkdir()
    (store.root / SCHEMA_NOTE).write_text(note)

    with pytest.raises(PlaceError, match=said):
        publish(store)
    assert not (store.root / "artifacts").exists()


def test_an_artefact_of_a_later_version_stays_where_it_is(store):
    path = publish(store).path
    later = replace(Manifest.read(path), schema_version=2)
    (path / MANIFEST).write_text(later.to_json())

    for ask in (store.find, store.peek):
        with pytest.raises(PlaceError, match="later blip-foundry"):
            ask("a-0")
    assert path.exists()


def test_a_damaged_version_is_damage(store):
    path = publish(store).path / MANIFEST
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 7'))

    assert store.find("a-0") is None
    assert [one.name for one in store.quarantined()] == ["a-0.0"]
