"""What each mode lets a model see."""

from dataclasses import replace

import pytest

from blip_core.inference import answer
from blip_core.inference.prompting import stage_two
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction
from tests.tiny_blip2 import FolderOf, MakeExamples

MODES = ("one-stage", "description-only", "blind")


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


@pytest.fixture
def settings(inference_settings: Inference) -> Inference:
    return inference_settings.model_copy(update={"ablations": MODES, "free_generation": False})


def by_mode(bundle: Blip2Bundle, example: Example, settings: Inference) -> dict[str, Prediction]:
    answers = answer(bundle, [example], settings, "x")
    return {one.mode: one for one in answers.predictions + answers.ablations}


@pytest.mark.parametrize(
    ("mode", "sees"), [("both", True), ("one-stage", True), *[(m, False) for m in MODES[1:]]]
)
def test_a_prompt_without_picture_has_no_places_for_one(
    bundle: Blip2Bundle, make_examples: MakeExamples, settings: Inference, mode: str, sees: bool
) -> None:
    question = stage_two(bundle, make_examples(1), ["A dog."], settings, mode, 0)[0]  # type: ignore[arg-type]

    assert question.prompt.ids.count(bundle.image_token_id) == (bundle.query_count if sees else 0)


def test_a_blind_model_says_the_same_of_any_picture(
    bundle: Blip2Bundle, make_examples: MakeExamples, settings: Inference
) -> None:
    examples = make_examples(3)

    here = by_mode(bundle, examples[0], settings)
    elsewhere = by_mode(bundle, replace(examples[0], image=examples[2].image), settings)

    assert here["blind"] == elsewhere["blind"]
    assert here["one-stage"].probabilities != elsewhere["one-stage"].probabilities


def test_only_modes_with_a_description_carry_it(
    bundle: Blip2Bundle, make_examples: MakeExamples, settings: Inference
) -> None:
    told = by_mode(bundle, make_examples(1)[0], settings)

    assert told["description-only"].description == told["both"].description != ""
    assert told["blind"].description == told["one-stage"].description == ""


def test_descriptions_are_written_once_for_all_modes_and_rotations(
    bundle: Blip2Bundle, make_examples: MakeExamples, settings: Inference
) -> None:
    every = settings.model_copy(update={"circular": True})
    alone = settings.model_copy(update={"ablations": ()})

    written = [answer(bundle, make_examples(3), one, "x").counts.written_tokens for one in (every, alone)]

    assert written[0] == written[1] > 0


def test_a_prompt_that_was_cut_is_flagged(
    tiny_blip2: FolderOf, make_examples: MakeExamples, settings: Inference
) -> None:
    opt = load_blip2(tiny_blip2("opt"))  # a T5 has no longest prompt
    long = replace(make_examples(1)[0], question="Which one is in the park? " * 100)

    assert "cut-prompt" in by_mode(opt, long, settings)["both"].flags.split()
