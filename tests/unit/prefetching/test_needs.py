import pytest

from blip_core.errors import RecipeError
from blip_core.prefetching import needs_of
from blip_core.recipes import load_recipe


def test_the_pocket_profile_needs_nothing_of_the_hub():
    assert needs_of(load_recipe("gallery-vqa", "pocket")) == []


def test_each_name_comes_once_with_the_fields_that_use_it():
    needs = {need.id: need for need in needs_of(load_recipe("gallery-vqa", "workstation"))}

    assert list(needs) == [
        "Qwen/Qwen1.5-1.8B-Chat",
        "dreamlike-art/dreamlike-photoreal-2.0",
        "llava-hf/llava-1.5-7b-hf",
        "Salesforce/blip2-flan-t5-xl",
        "Salesforce/blip2-opt-2.7b",
    ]
    base = needs["Salesforce/blip2-flan-t5-xl"]
    assert base.fields == ("finetune.base", "variants.flan-t5.model", "variants.finetuned.model")


def test_composed_pictures_need_no_painter():
    recipe = load_recipe("gallery-vqa", "workstation", ["source.kind=world", "labels.model=pocket/llava"])
    assert "pictures.model" not in [field for need in needs_of(recipe) for field in need.fields]


def test_a_gguf_file_is_needed_without_safetensors():
    override = 'scenes.model={id="owner/model", file="q4.gguf"}'
    (need,) = needs_of(load_recipe("gallery-vqa", "pocket", [override]))
    assert (need.safetensors, need.gguf) == (False, ("q4.gguf",))


def test_two_revisions_of_one_name_are_refused():
    overrides = [
        'scenes.model={id="owner/model", revision="a"}',
        'labels.model={id="owner/model", revision="b"}',
    ]
    with pytest.raises(
        RecipeError, match=r"scenes\.model asks for owner/model at revision a, labels\.model at b"
    ):
        needs_of(load_recipe("gallery-vqa", "pocket", overrides))
