"""What a section fills in or refuses of itself, once its fields hold one by one."""

import pytest

from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe
from blip_core.recipes.finetune import Adapter


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"preset": "qformer"}, (32, 64.0, 0.1)),
        ({"preset": "projection"}, (32, 64.0, 0.1)),
        ({"preset": "language-attention"}, (16, 32.0, 0.05)),
        ({"preset": "language-attention-qk"}, (16, 32.0, 0.05)),
        ({"preset": "language-attention", "r": 4}, (4, 32.0, 0.05)),
        ({"preset": "language-attention", "alpha": 8.0, "dropout": 0.0}, (16, 8.0, 0.0)),
        ({"pattern": "query"}, (32, 64.0, 0.1)),
    ],
)
def test_a_preset_brings_the_size_that_fits_it_and_what_is_given_stays(given: dict, size: tuple):
    adapter = Adapter.model_validate(given)
    assert (adapter.r, adapter.alpha, adapter.dropout) == size


@pytest.mark.parametrize("variant", ["''", None])
def test_a_second_judge_that_is_on_names_who_judges(variant: str | None):
    told = f", variant={variant}" if variant else ""
    with pytest.raises(RecipeError, match="enabled is true, but variant is empty"):
        load_recipe("gallery-vqa", "pocket", [f"curation.second_judge={{enabled=true{told}}}"])


def test_a_second_judge_that_is_off_need_name_nobody():
    recipe = load_recipe("gallery-vqa", "pocket", ["curation.second_judge.enabled=false"])
    assert recipe.curation.second_judge.variant == ""


@pytest.mark.parametrize("profile", [None, "pocket", "somewhere/pocket.toml"])
def test_a_complete_recipe_is_loaded_with_its_own_profile_however_that_is_named(profile, tmp_path):
    recipe = load_recipe("gallery-vqa", "pocket")
    path = tmp_path / "complete.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(str(path), *([] if profile is None else [profile])) == recipe


@pytest.mark.parametrize("adapter", ["false", "'models:/a@champion'", "'wide'"])
def test_a_phase_is_named_in_adapter_alone(adapter: str):
    variant = f"variants=[{{name='x', role='base', phase='half', adapter={adapter}}}]"
    with pytest.raises(
        RecipeError, match=r"phase is 'half', but adapter is not true: name the phase in adapter"
    ):
        load_recipe("gallery-vqa", "pocket", [variant, "inference.ablations=[]"])
