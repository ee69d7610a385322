import json

import pytest

from blip_core.errors import CorruptArtifact
from blip_core.reporting.catalogue import adapter_entry, dataset_entry, entry, family_tree
from blip_core.store.lineage import Lineage
from tests.unit.grown_store import GrownStore


@pytest.fixture
def grown(tmp_path):
    return GrownStore(tmp_path)


def lineage(grown):
    return Lineage(grown.store.artifacts())


def test_a_dataset_names_its_rows_and_the_adapters_tuned_on_it(grown):
    told = dataset_entry(lineage(grown), grown.dataset)
    assert told["recipe"] == "gallery-vqa"
    assert list(told["splits"]) == ["train", "validation", "test"]
    assert sum(told["splits"].values()) == told["rows"] == len(grown.examples)
    assert told["rejected"]["blank"] == 1
    assert told["adapters"] == [grown.adapter.digest]
    assert told["size_bytes"] > 1000


def test_an_adapter_names_its_dataset_and_how_it_was_judged(grown):
    answers = grown.predict("finetuned", grown.examples)
    scores = grown.score("finetuned", answers, 0.75)
    told = adapter_entry(lineage(grown), grown.adapter)
    assert told["base"] == "pocket/blip2-t5"
    assert told["dataset"] == grown.dataset.digest
    assert told["validation_loss"] == 0.25
    assert told["path"] == str(grown.adapter.path / "adapter")
    assert told["scores"] == [
        {
            "variant": "finetuned",
            "judged_on": "split",
            "accuracy": 0.75,
            "ci95": [0.65, 0.85],
            "n": 7,
            "scores": scores.digest,
        }
    ]


def test_entries_of_manifests_that_do_not_say_hold_none(tmp_path):
    old = GrownStore(tmp_path, says=False)
    assert dataset_entry(lineage(old), old.dataset)["recipe"] is None
    told = adapter_entry(lineage(old), old.adapter)
    assert (told["base"], told["dataset"], told["made_from"], told["scores"]) == (None, None, None, [])


def test_the_family_of_a_dataset_goes_up_to_scenes_and_down_to_scores(grown):
    grown.score("finetuned", grown.predict("finetuned", grown.examples), 0.75)
    family = lineage(grown)
    assert _kinds(family_tree(grown.dataset, family.parents, family)) == ["labels", "pictures", "scenes"]
    below = family_tree(grown.dataset, family.children, family)
    assert _kinds(below) == ["adapter", "predictions", "scores"]
    assert json.loads(json.dumps(below)) == below


def _kinds(generation):
    return [generation[0]["kind"], *_kinds(generation[0]["next"])] if generation else []


def test_a_circle_in_damaged_manifests_is_not_followed(grown):
    one = grown.store.publish("a-1", "labels", lambda folder: {"made_from": {"b": "b-1"}})
    grown.store.publish("b-1", "labels", lambda folder: {"made_from": {"a": "a-1"}})
    family = lineage(grown)
    assert _kinds(family_tree(one, family.parents, family)) == ["labels"]


def test_scores_that_cannot_be_read_are_named(grown):
    scores = grown.score("finetuned", grown.predict("finetuned", grown.examples), 0.75)
    (scores.path / "scores.json").write_text("{")
    with pytest.raises(CorruptArtifact, match=r"scores\.json"):
        entry(lineage(grown), scores)
