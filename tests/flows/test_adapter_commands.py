"""An adapter of the store is merged, or gets a card for the hub, by the beginning of its digest."""

import json

import pytest

from blip_core.errors import UnknownArtifact
from blip_core.modeling import attach_adapter, load_blip2, save_adapter
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from flows.cli.commands.merge import merge
from flows.results.adapter_cards import stored_card
from flows.variants.named_adapter import named_adapter
from tests.unit.grown_store import GrownStore


@pytest.fixture
def grown(home):
    return GrownStore(home / "store")


@pytest.fixture
def adapter(grown, tiny_blip2):
    """A real adapter in the store, tuned on its dataset."""
    base = tiny_blip2("t5")

    def build(folder):
        bundle = attach_adapter(load_blip2(base), Adapter(preset="projection-queries"), seed=0)
        save_adapter(bundle, folder / "adapter", Checkpoint(id=str(base)))
        settings = {"name": "gallery-vqa", "profile": "pocket", "seed": 7}
        return {"rows": 5, "made_from": {"dataset": grown.dataset.key}, "settings": settings}

    return grown.store.publish(grown.store.key("adapter", {"name": "real"}), "adapter", build)


def test_a_digest_names_an_adapter_and_a_folder_does(grown, adapter):
    by_digest = named_adapter(adapter.digest[:8])
    by_folder = named_adapter(str(by_digest.folder))

    assert by_digest.artifact == adapter
    assert by_folder.folder == by_digest.folder
    assert by_folder.artifact is None


@pytest.mark.parametrize("name", ["ffff", "."])
def test_what_is_no_adapter_is_refused(grown, name):
    with pytest.raises(UnknownArtifact):
        named_adapter(name)


def test_the_card_has_what_the_store_knows_and_the_store_stays_as_it_is(grown, adapter, tmp_path):
    predictions = grown.predict("finetuned", grown.examples, made_from={"adapter": adapter.key})
    grown.score("finetuned", predictions, 0.75)

    card = stored_card(named_adapter(adapter.digest), tmp_path)

    assert card is not None
    text = card.read_text()
    assert "| finetuned | 0.750 | 0.650 to 0.850 | 7 |" in text
    assert f"- dataset: `{grown.dataset.digest}`" in text
    assert "- seed: `7`" in text
    assert grown.store.find(adapter.key) == adapter  # every file still has its digest


def test_an_adapter_of_the_store_is_merged(grown, adapter, tmp_path, capfd):
    merge(adapter.digest[:8], tmp_path / "merged", as_json=True)

    told = json.loads(capfd.readouterr().out)
    assert told["rounding"] == 0
    assert (tmp_path / "merged" / "config.json").is_file()
