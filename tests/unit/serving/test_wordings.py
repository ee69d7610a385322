"""Prompts of a recipe are recognised to the letter, whatever stands in their places."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.inference.prompting import ask, describe_prompt
from blip_core.inference.served import _plain
from blip_core.recipes import load_recipe, recipe_names
from blip_core.records import OPTION_LETTERS
from blip_core.serving.questions import Asking
from blip_core.serving.reading import ChatRequest
from blip_core.wiring.serving import request_asking

# What stands in a place may hold what stands between them, lines and letters.
WORDS = st.text(st.sampled_from("ab \nABCDE.:{}"), min_size=1, max_size=20).map(lambda text: f"x{text}x")
WORDS_OR_MARKS = WORDS | st.sampled_from(
    ["x\nQuestion: x", "x\nA. x", "x\nE. x", "Description: x", "{question}"]
)


def understood(asking: Asking, prompt: str, picture: bytes):
    task, request = asking.understand(ChatRequest("m", _plain(prompt), picture))
    assert task == asking.task
    return request


def words_of(asking: Asking, request) -> str:
    settings = asking.settings[asking.task]
    if request.is_stage_one:
        return _plain(describe_prompt(settings, request.example))
    return _plain(ask(settings, request.example, request.description, request.mode, 0)[1])


@given(question=WORDS_OR_MARKS, description=WORDS_OR_MARKS, options=st.lists(WORDS, min_size=2, max_size=10))
def test_what_a_client_of_ours_asks_is_asked_with_the_same_words(
    asking, make_examples, question, description, options
):
    padded = [*options, *[""] * (4 - len(options))]
    row = replace(make_examples(1)[0], question=question).with_options(padded)
    settings = asking.settings["mcq"]
    for mode, picture in (
        ("both", row.image),
        ("one-stage", row.image),
        ("description-only", b""),
        ("blind", b""),
    ):
        prompt = ask(settings, row, description, mode, 0)[1]
        request = understood(asking, prompt, picture)
        assert words_of(asking, request) == _plain(prompt)
        assert request.example.offered >= len(options)
    prompt = describe_prompt(settings, row)
    request = understood(asking, prompt, row.image)
    assert request.is_stage_one
    assert words_of(asking, request) == _plain(prompt)


@pytest.mark.parametrize("count", range(2, len(OPTION_LETTERS) + 1))
def test_as_many_options_are_found_as_are_listed(asking, make_examples, count):
    texts = [f"option {place}" for place in range(count)]
    row = make_examples(1)[0].with_options([*texts, *[""] * (4 - count)])
    request = understood(asking, ask(asking.settings["mcq"], row, "A dog.", "both", 0)[1], row.image)
    assert request.example.options[:count] == tuple(texts)
    assert (request.example.offered, request.description, request.mode) == (count, "A dog.", "both")


@pytest.mark.parametrize("name", recipe_names())
def test_prompts_of_every_shipped_recipe_are_recognised(name, make_examples):
    recipe = load_recipe(name, "pocket")
    variants = [one for one in recipe.variants if one.role in ("base", "baseline")]
    for variant in variants:
        if variant.answers != "written":
            continue
        asking = request_asking(recipe, variant)
        row = replace(make_examples(1)[0], task=recipe.task)
        prompt = ask(asking.settings[recipe.task], row, "A dog.", "both", 0)[1]
        assert words_of(asking, understood(asking, prompt, row.image)) == _plain(prompt)
