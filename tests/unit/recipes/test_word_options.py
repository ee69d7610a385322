"""Captions asked for by ranked words: which recipes may, and what becomes of findings about it."""

import re

import pytest
from pydantic import Field, ValidationError

from blip_core.errors import RecipeError
from blip_core.recipes import Section, load_recipe
from blip_core.recipes.explaining import Layer, explain

ASKED = {"color-is-learnt", "material-is-learnt"}


def names(*overrides: str) -> set[str]:
    recipe = load_recipe("compositional-captions", "pocket", overrides)
    return {one.name for one in recipe.findings if "@options" in one.a}


def test_findings_about_it_go_with_the_options_they_are_about():
    assert names() == ASKED
    assert names("inference.options=[]") == set()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("task=vqa", "must contain {question}"),
        ('inference.options=[{name="color", words=["red"]}]', r"holds 1 word\(s\); 2 to 10"),
        ('inference.options=[{name="color", words=["red", "RED"]}]', "words must differ"),
    ],
)
def test_options_that_nobody_can_rank_are_refused_in_one_sentence(override: str, said: str):
    with pytest.raises(RecipeError, match=said):
        load_recipe("compositional-captions", "pocket", [override])


def test_the_workstation_asks_its_own_words_and_names_the_documents_models():
    recipe = load_recipe("compositional-captions", "workstation")
    assert recipe.finetune.base.id == "Salesforce/blip2-opt-2.7b"
    assert {one.id for _, one in recipe.judging.checkpoints()} == {
        "openai/clip-vit-base-patch32",
        "sentence-transformers/all-MiniLM-L6-v2",
    }
    assert [one.name for one in recipe.inference.options] == ["color", "material"]
    assert not recipe.in_phase(recipe.phases[0]).annotations


class Pair(Section):
    words: tuple[str, ...] = Field(min_length=2, strict=False)


@pytest.mark.parametrize(("words", "said"), [(["a"], r"words is \['a'\]"), ([1, "b"], r"words\[0\] is 1")])
def test_a_list_that_is_too_short_is_told_whatever_it_holds(words: list[object], said: str):
    given = {"words": words}
    with pytest.raises(ValidationError) as caught:
        Pair.model_validate(given)
    assert re.match(said, str(explain(caught.value, Pair, [Layer("a file", given), Layer("", given)])))
