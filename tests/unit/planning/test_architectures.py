"""Published architectures have the parameters that their checkpoints are known for."""

import copy
from pathlib import Path

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.modeling import account_parameters
from blip_core.modeling.architecture import meta_blip2
from blip_core.planning.architectures import (
    _published,
    architecture_of,
    published_ids,
    published_parameters,
)
from blip_core.planning.painting import pipeline_modules
from blip_core.planning.stages import known_architectures
from blip_core.pocket import models_dir
from blip_core.recipes import load_recipe
from blip_core.recipes.checkpoint import Checkpoint

NOWHERE = Path("/nowhere")


def published(hub_id, kind):
    return architecture_of(Checkpoint(id=hub_id), kind, "some.model", NOWHERE, NOWHERE)


def counted(config, maker):
    with torch.device("meta"):
        return sum(weight.numel() for weight in maker(config).parameters())


@pytest.mark.parametrize("hub_id", ["Salesforce/blip2-flan-t5-xl", "Salesforce/blip2-opt-2.7b"])
def test_blip2(hub_id):
    account = account_parameters(published(hub_id, "blip-2").config, None, "none")
    assert account.base == published_parameters(hub_id)


def test_both_configs_of_opt_are_known_and_the_plan_says_which_is_counted():
    """The hub's vocabulary grew by 32 tokens; what the sources print was counted before."""
    hub_id = "Salesforce/blip2-opt-2.7b"
    found = published(hub_id, "blip-2")
    before = _published()[hub_id]["before"]
    earlier = copy.deepcopy(found.config)
    earlier.text_config.vocab_size = before["text_config"]["vocab_size"]
    counts = [account_parameters(config, None, "none").base for config in (found.config, earlier)]
    assert counts == [published_parameters(hub_id), before["parameters"]] == [3_744_761_856, 3_744_679_936]
    assert all(words in found.note for words in ("50,304", "50,272", "81,920"))


@pytest.mark.parametrize(
    "hub_id", ["Salesforce/blip2-flan-t5-xl", "llava-hf/llava-1.5-7b-hf", "Qwen/Qwen1.5-1.8B-Chat"]
)
def test_of_a_checkpoint_with_one_config_nothing_more_is_said(hub_id):
    kind = {"Salesforce": "blip-2", "llava-hf": "llava", "Qwen": "language"}[hub_id.split("/")[0]]
    assert published(hub_id, kind).note == ""


LLAMA_7B = 6_738_415_616  # with 32,000 words (Touvron et al., arXiv 2302.13971)
WORDS_OF_Q_FORMER = 30_523 * 768 + 512 * 768  # with their places
LAYERS_FOR_WORDS = 12 * (768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 768)


def test_an_instructblip_is_a_blip2_whose_q_former_reads():
    account = account_parameters(
        published("Salesforce/instructblip-flan-t5-xl", "blip-2").config, None, "none"
    )
    blip2 = published_parameters("Salesforce/blip2-flan-t5-xl")
    assert account.base == blip2 + WORDS_OF_Q_FORMER + LAYERS_FOR_WORDS
    assert account.base == published_parameters("Salesforce/instructblip-flan-t5-xl")


@pytest.mark.parametrize(
    ("profile", "hub_id", "parameters"),
    [
        ("instructblip", "Salesforce/instructblip-flan-t5-xl", 4_022_969_088),
        ("instructblip-vicuna", "Salesforce/instructblip-vicuna-7b", 7_913_210_624),
    ],
)
def test_a_profile_of_instructblip_is_planned_with_the_published_counts(profile, hub_id, parameters):
    settings = load_recipe("gallery-vqa", profile).finetune
    assert settings.base.id == hub_id
    account = account_parameters(published(hub_id, "blip-2").config, settings.adapter, settings.quantisation)
    assert account.base == published_parameters(hub_id) == parameters
    assert account.adapter == 9_682_944  # LoRA of rank 32 on 120 linears


def test_a_vicuna_has_one_word_more_than_its_llama():
    config = published("Salesforce/instructblip-vicuna-7b", "blip-2").config
    language_model = dict(meta_blip2(config).named_children())["language_model"]
    assert sum(p.numel() for p in language_model.parameters()) == LLAMA_7B + 2 * 4096
    assert account_parameters(config, None, "none").base == published_parameters(
        "Salesforce/instructblip-vicuna-7b"
    )


def test_llava():
    from transformers import LlavaForConditionalGeneration

    hub_id = "llava-hf/llava-1.5-7b-hf"
    assert counted(published(hub_id, "llava").config, LlavaForConditionalGeneration) == 7_063_427_072
    assert published_parameters(hub_id) == 7_063_427_072


@pytest.mark.parametrize(
    ("hub_id", "count"),
    [("Qwen/Qwen1.5-1.8B-Chat", 1_836_828_672), ("Qwen/Qwen3-4B-Instruct-2507", 4_022_468_096)],
)
def test_qwen(hub_id, count):
    from transformers import AutoModelForCausalLM

    config = published(hub_id, "language").config
    assert counted(config, AutoModelForCausalLM.from_config) == published_parameters(hub_id) == count


def test_qwen_that_sees():
    from transformers import AutoModelForImageTextToText

    hub_id = "Qwen/Qwen3-VL-8B-Instruct"
    config = published(hub_id, "image-text").config
    assert counted(config, AutoModelForImageTextToText.from_config) == 8_767_123_696
    assert published_parameters(hub_id) == 8_767_123_696


def test_stable_diffusion():
    modules = pipeline_modules(published("dreamlike-art/dreamlike-photoreal-2.0", "diffusion").config)
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    assert counts == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    assert sum(counts.values()) == published_parameters("dreamlike-art/dreamlike-photoreal-2.0")


def test_flux():
    hub_id = "black-forest-labs/FLUX.1-schnell"
    modules = pipeline_modules(published(hub_id, "diffusion").config)
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    assert counts == {
        "transformer": 11_891_178_560,
        "vae": 83_819_683,
        "text_encoder": 123_060_480,
        "text_encoder_2": 4_762_310_656,
    }
    assert sum(counts.values()) == published_parameters(hub_id)


def test_every_published_one_says_where_it_stands():
    kinds = {
        "blip2": "blip-2",
        "instructblip": "blip-2",
        "llava": "llava",
        "Qwen1": "language",
        "Qwen3-4B": "language",
        "Qwen3-VL": "image-text",
        "FLUX": "diffusion",
        "dreamlike": "diffusion",
    }
    for hub_id in published_ids():
        kind = next(kind for start, kind in kinds.items() if hub_id.split("/")[1].startswith(start))
        assert "https://" in published(hub_id, kind).origin


def test_a_folder_is_known_by_its_own_config(tiny_blip2):
    found = architecture_of(
        Checkpoint(id=str(tiny_blip2("opt"))), "blip-2", "finetune.base", NOWHERE, NOWHERE
    )
    assert found.origin == "its own config"
    assert found.disk_bytes > 0
    assert found.config.text_config.model_type == "opt"


def test_what_was_prefetched_goes_before_what_is_published(tiny_blip2, tmp_path):
    (tmp_path / "Salesforce").mkdir()
    (tmp_path / "Salesforce" / "blip2-opt-2.7b").symlink_to(tiny_blip2("opt"))
    found = architecture_of(
        Checkpoint(id="Salesforce/blip2-opt-2.7b"), "blip-2", "baseline", tmp_path, NOWHERE
    )
    assert found.config.text_config.hidden_size < 100


def test_an_unknown_one_says_how_to_help():
    with pytest.raises(CheckpointError, match=r"finetune\.base is me/mine.*foundry prefetch.*config\.json"):
        architecture_of(Checkpoint(id="me/mine"), "blip-2", "finetune.base", NOWHERE, NOWHERE)


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(CheckpointError, match=r"there is no folder /nowhere/else"):
        architecture_of(Checkpoint(id="/nowhere/else"), "blip-2", "finetune.base", NOWHERE, NOWHERE)


def test_another_kind_than_the_stage_needs_is_refused(tiny_blip2):
    with pytest.raises(
        CheckpointError,
        match=r"labels\.model is .*which is a BLIP-2 or InstructBLIP; allowed here: a model that",
    ):
        architecture_of(Checkpoint(id=str(tiny_blip2("t5"))), "image-text", "labels.model", NOWHERE, NOWHERE)


@pytest.mark.parametrize("profile", ["pocket", "workstation"])
@pytest.mark.parametrize("name", ["fashion-vqa", "compositional-captions", "gallery-vqa"])
def test_models_that_only_look_at_texts_are_left_out_of_the_plan(name, profile, tmp_path):
    recipe = load_recipe(name, profile)
    known = known_architectures(recipe, tmp_path, models_dir())
    assert "finetune.base" in known
    assert not [field for field in known if field.startswith(("judging.", "inference.reader"))]
