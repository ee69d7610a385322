"""Kinds of variants: how they are written, what tells them apart, and what is refused."""

import pytest

from blip_core.errors import RecipeError
from blip_core.prefetching import used_checkpoints
from blip_core.recipes import ServerVariant, load_recipe

SERVER = "name='far', role='server', url='http://127.0.0.1:8000/v1', served_model='owner/vlm'"


def recipe_of(*variants: str, also: tuple[str, ...] = ()):
    tables = ", ".join(f"{{{variant}}}" for variant in variants)
    return load_recipe("gallery-vqa", "pocket", [f"variants=[{tables}]", *also])


@pytest.mark.parametrize(
    ("adapter", "kind"),
    [
        ("false", "none"),
        ("true", "own"),
        ("'champion'", "registered"),
        ("'candidate'", "registered"),
        ("'models:/gallery-vqa-adapter@champion'", "registered"),
        ("'models:/gallery-vqa-adapter/12'", "registered"),
        ("'0123456789ab'", "stored"),
        ("'./champion'", "folder"),
        ("'my-adapter'", "folder"),
    ],
)
def test_an_adapter_is_told_by_how_it_is_written(adapter, kind):
    (variant,) = recipe_of(f"name='x', role='base', adapter={adapter}").variants
    assert variant.adapter_kind == kind


def test_a_server_is_a_variant_that_loads_nothing_here():
    recipe = recipe_of("name='flan-t5', role='base'", SERVER)
    far = recipe.variants[1]
    assert isinstance(far, ServerVariant)
    assert (far.adapter, far.key_variable) == (False, "")
    assert "variants.far.model" not in dict(used_checkpoints(recipe))


def test_a_resolved_recipe_with_every_kind_loads_to_the_same(tmp_path):
    recipe = recipe_of(SERVER, "name='held', role='base', adapter='champion'", "name='b', role='baseline'")
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml())
    assert load_recipe(str(path)) == recipe


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("name='x'", r"variants\[0\]\.role is missing"),
        ("name='x', role='judge'", r"variants\[0\]\.role is 'judge'.*'baseline', 'base', 'server'"),
        ("name='x', role='server'", r"variants\[0\]\.url is missing"),
        ("name='x', role='server', url='u', served_model='m', model='pocket/blip2-t5'", "no such field"),
        ("name='x', role='base', url='http://h/v1'", "url.*no such field"),
        ("name='x', role='base', adapter=''", "write false for none"),
        ("name='x', role='base', adapter='models:/a'", "models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("name='x', role='baseline', adapter='champion'", "adapter is champion, but role is baseline"),
        (SERVER.replace("127.0.0.1", "me:secret@h"), "environment variable that key_variable names"),
        (SERVER.replace("/v1", "/v1?key=secret"), "environment variable that key_variable names"),
        (SERVER.replace("/v1", "/v1#secret"), "environment variable that key_variable names"),
        (SERVER.replace("/v1", "/v1?key=secret#secret"), "environment variable that key_variable names"),
        (SERVER.replace("8000", "0"), "allowed: an address such as"),
        (SERVER.replace("127.0.0.1:8000", ""), "allowed: an address such as"),
        (SERVER.replace("http:", "ftp:"), "allowed: an address such as"),
        (SERVER.replace("8000", "eight"), "url is not an address"),
        (SERVER + ", key_variable='a key'", r"variants\[0\]\.key_variable is 'a key'"),
    ],
)
def test_what_cannot_be_a_variant_is_refused_in_words(variant, words):
    with pytest.raises(RecipeError, match=words) as told:
        recipe_of(variant)
    assert "secret" not in str(told.value)


def test_a_server_cannot_rank_whole_texts():
    with pytest.raises(RecipeError, match=r"far: role is server, but inference\.ranking is texts"):
        recipe_of(SERVER, also=("inference.ranking=texts",))


@pytest.mark.parametrize("adapter", [False, "champion", "0123456789ab"])
def test_a_phase_goes_with_the_adapter_of_this_run_alone(adapter):
    from pydantic import ValidationError

    from blip_core.recipes.checkpoint import Checkpoint
    from blip_core.recipes.variants import Variant

    made = {"name": "x", "role": "base", "model": Checkpoint(id="owner/name"), "phase": "first"}
    assert Variant(**made, adapter=True).phase == "first"
    with pytest.raises(ValidationError, match="adapter is not true: name the phase in adapter"):
        Variant(**made, adapter=adapter)
