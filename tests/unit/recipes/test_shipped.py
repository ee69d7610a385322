"""Every shipped file is found here, so that a new one cannot slip by untested."""

import tomllib
from importlib.resources import files

import pytest

from blip_core.planning.architectures import published_ids
from blip_core.prefetching import served_models, used_checkpoints
from blip_core.recipes import Checkpoint, Recipe, Section, load_recipe, profile_names, recipe_names

SHIPPED = files("blip_core.recipes") / "shipped"
FILES = sorted(str(path.relative_to(SHIPPED)) for path in SHIPPED.rglob("*.toml"))
PAIRS = [(recipe, profile) for recipe in recipe_names() for profile in profile_names()]


def test_every_shipped_file_is_a_recipe_or_a_profile_that_can_be_named():
    recipes = [f"{name}.toml" for name in recipe_names()]
    profiles = [f"profiles/{name}.toml" for name in profile_names()]
    assert sorted([*recipes, *profiles]) == FILES


@pytest.mark.parametrize(("recipe", "profile"), PAIRS)
def test_a_shipped_recipe_resolves_under_every_profile(recipe, profile):
    resolved = load_recipe(recipe, profile)
    assert (resolved.name, resolved.profile) == (recipe, profile)


@pytest.mark.parametrize("profile", profile_names())
def test_a_profile_changes_hardware_and_checkpoints_but_not_what_is_asked(profile):
    content = tomllib.loads((SHIPPED / "profiles" / f"{profile}.toml").read_text())
    named = {key for section in content.values() if isinstance(section, dict) for key in section}
    assert content.keys() <= {"baseline", "device", "scenes", "pictures", "labels", "finetune", "inference"}
    assert not {"prompt", "describe_prompt", "answer_prompt", "count", "categories"} & named


def test_the_pocket_profile_loads_bundled_models_only():
    recipe = load_recipe("gallery-vqa", "pocket")
    assert all(checkpoint.is_pocket for checkpoint in _checkpoints(recipe))


@pytest.mark.parametrize("profile", ["workstation", "datacenter"])
def test_the_real_profiles_load_the_checkpoints_of_the_source(profile):
    recipe = load_recipe("gallery-vqa", profile)
    assert {checkpoint.id for checkpoint in _checkpoints(recipe)} == {
        "Qwen/Qwen1.5-1.8B-Chat",
        "dreamlike-art/dreamlike-photoreal-2.0",
        "llava-hf/llava-1.5-7b-hf",
        "Salesforce/blip2-opt-2.7b",
        "Salesforce/blip2-flan-t5-xl",
    }


@pytest.mark.parametrize("profile", ["workstation", "datacenter"])
def test_the_gallery_recipe_follows_its_source_under_real_profiles(profile):
    recipe = load_recipe("gallery-vqa", profile)
    adapter = recipe.finetune.adapter
    assert recipe.scenes.count == 1218
    assert [category.name for category in recipe.scenes.categories] == ["nature", "travel", "casual", "food"]
    assert (adapter.preset, adapter.r, adapter.alpha, adapter.dropout) == ("qformer", 32, 64, 0.1)
    assert recipe.finetune.quantisation == "nf4"


@pytest.mark.parametrize(
    ("profile", "served"), [("modern", []), ("modern-server", ["scenes.model", "labels.model"])]
)
def test_the_modern_profiles_load_what_can_be_planned_and_ask_a_server_for_the_rest(profile, served):
    recipe = load_recipe("gallery-vqa", profile)
    assert [field for field, _ in served_models(recipe)] == served
    assert {checkpoint.id for _, checkpoint in used_checkpoints(recipe)} <= set(published_ids())


def test_the_gallery_ladder_has_three_rungs_and_one_of_them_is_tuned():
    recipe = load_recipe("gallery-vqa")
    assert [(variant.name, variant.adapter) for variant in recipe.variants] == [
        ("baseline", False),
        ("flan-t5", False),
        ("finetuned", True),
    ]
    assert recipe.variants[0].model == recipe.baseline
    assert recipe.variants[1].model == recipe.variants[2].model == recipe.finetune.base


def test_every_field_says_in_a_line_what_it_means():
    undocumented = [
        f"{section.__name__}.{name}"
        for section in _sections(Section)
        if section.__module__.startswith("blip_core.")  # other tests make some of their own
        for name, field in section.model_fields.items()
        if not field.description or "\n" in field.description.strip()
    ]
    assert undocumented == []


def _checkpoints(recipe: Recipe) -> list[Checkpoint]:
    return [
        recipe.baseline,
        recipe.scenes.model,
        recipe.pictures.model,
        recipe.labels.model,
        recipe.finetune.base,
        *(variant.model for variant in recipe.variants),
    ]


def _sections(parent):
    return [section for child in parent.__subclasses__() for section in (child, *_sections(child))]
