"""Why a stage would run: what moved since the nearest that is kept."""

import pytest

from blip_core.recipes import load_recipe
from blip_core.store import Store
from blip_core.store.explaining import explain, moved_between, moved_words
from blip_core.store.keys import KEY_INPUTS

SCENES, OTHER = "a" * 64, "b" * 64


def inputs(*overrides, scenes=SCENES, model="pocket/painter 1", version=1):
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    digest = recipe.digest("pictures", "seed")
    return {"version": version, "recipe": digest, "scenes": scenes, "model": model, "threads": 2}


def publish(store, **changes):
    overrides = changes.pop("overrides", ())
    key = store.key("pictures", inputs(*overrides, **changes))
    return store.publish(key, "pictures", lambda folder: (folder / "x").write_text(key) and {"rows": 1})


def moved(store, *overrides, **changes):
    key = store.key("pictures", inputs(*overrides, **changes))
    return explain(store.inputs_of(key), store.artifacts("pictures"))


@pytest.mark.parametrize(
    ("overrides", "changes", "words"),
    [
        (("pictures.steps=7",), {}, "pictures.steps: 8, now 7"),
        (("seed=3",), {}, "seed: 0, now 3"),
        (("pictures.negative_prompt=blur",), {}, 'pictures.negative_prompt: "", now "blur"'),
        ((), {"scenes": OTHER}, "its input scenes is another"),
        ((), {"model": "pocket/painter 2"}, 'model: "pocket/painter 1", now "pocket/painter 2"'),
        ((), {"version": 2}, "the code of the stage: version 1, now 2"),
    ],
)
def test_what_moved_is_told(tmp_path, overrides, changes, words):
    store = Store(tmp_path)
    publish(store)
    assert [moved_words(one) for one in moved(store, *overrides, **changes).moved] == [words]


def test_the_nearest_is_what_the_fewest_inputs_part(tmp_path):
    store = Store(tmp_path)
    far = publish(store, overrides=("seed=1", "pictures.steps=3"))
    near = publish(store, overrides=("pictures.steps=9",))
    found = moved(store, "pictures.steps=7")
    assert (found.nearest.key, len(found.moved)) == (near.key, 1)
    assert far.key != near.key


def test_where_no_manifest_tells_its_inputs_nothing_is_made_up(tmp_path):
    store = Store(tmp_path)
    store.publish("pictures-old", "pictures", lambda folder: {"rows": 0})
    assert moved(store).nearest is None


def test_a_manifest_tells_the_fields_and_its_digest_does_not_hang_on_them(tmp_path):
    made = publish(Store(tmp_path / "one"))
    told = made.metadata[KEY_INPUTS]
    assert told["recipe"]["pictures"]["steps"] == 8
    assert told["code_version"] == 1
    assert Store(tmp_path / "one").find(made.key) == made
    plain = Store(tmp_path / "other").publish(
        made.key, "pictures", lambda folder: (folder / "x").write_text(made.key) and {"rows": 1}
    )
    assert KEY_INPUTS not in plain.metadata
    assert plain.digest == made.digest


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {}}, ["a", "a.b"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({}, {"device": "cuda"}, ["device"]),
    ],
)
def test_inputs_are_held_against_each_other_by_name(before, after, names):
    assert [one.name for one in moved_between(before, after)] == names
