from dataclasses import replace

import pytest

from blip_core.backends.scripted import ScriptedReader
from blip_core.inference import predict
from blip_core.inference.loaded import LoadedModel
from blip_core.inference.reading_out import ReadingOut
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.ports import Span, no_progress
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")

ANSWERS = ("a red bus", "two dogs", "nothing", "a very long wooden table")


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


@pytest.fixture
def asking(inference_settings: Inference) -> Inference:
    return inference_settings.model_copy(update={"answer_prompt": "{question} It is", "describe_prompt": ""})


def freely(rows: list[Example], task: str = "vqa") -> list[Example]:
    return [replace(row.with_options([""] * 4), task=task, answer="", target="two dogs") for row in rows]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_the_likeliest_of_a_closed_set_is_what_ranked_options_would_be(
    bundle: Blip2Bundle, make_examples: MakeExamples, asking: Inference, batch_size: int
) -> None:
    rows = [row.with_options(list(ANSWERS)) for row in make_examples(5)]
    ranked = predict(bundle, rows, asking.model_copy(update={"ranking": "texts"}), "x")
    expected = [ANSWERS["ABCD".index(one.ranked)] for one in ranked]
    closed = asking.model_copy(update={"closed_answers": ANSWERS, "batch_size": batch_size})

    assert [one.generated for one in predict(bundle, freely(rows), closed, "x")] == expected


def test_captions_are_written_whatever_set_of_answers_there_is(
    bundle: Blip2Bundle, make_examples: MakeExamples, asking: Inference
) -> None:
    rows = freely(make_examples(3), "caption")
    closed = asking.model_copy(update={"closed_answers": ANSWERS})
    written = predict(bundle, rows, asking, "x")
    assert [one.generated for one in predict(bundle, rows, closed, "x")] == [one.generated for one in written]


@pytest.mark.parametrize("found", [Span("dogs", 2, 1.0), None])
def test_a_reader_answers_from_the_description_and_says_where_it_finds_nothing(
    bundle: Blip2Bundle, make_examples: MakeExamples, asking: Inference, found: Span | None
) -> None:
    rows = freely(make_examples(2))
    reader = ScriptedReader([Span("bus", 0, 1.0), found])
    plain = asking.model_copy(update={"answer_prompt": "a photo of"})
    described = [one.generated for one in predict(bundle, rows, plain, "x")]

    answers = ReadingOut(LoadedModel(bundle, None, ""), reader).answer(rows, plain, "x", no_progress)

    assert reader.calls == [(row.question, text) for row, text in zip(rows, described, strict=True)]
    first, second = answers.predictions
    assert (first.generated, first.description) == ("bus", described[0])
    assert second.generated == (found.text if found else "")
    assert ("no-span" in second.flags.split()) == (found is None)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("red",), "holds 1 answers; allowed: 2 to 1000"),
        (("red", " Red "), "holds red more than once"),
        (("red", "  "), "holds an empty answer"),
        (tuple(str(number) for number in range(1001)), "holds 1001 answers"),
    ],
)
def test_a_set_that_leaves_no_choice_is_refused(answers: tuple[str, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Inference(closed_answers=answers)
