from dataclasses import replace
from typing import Any

import pytest
import torch

from blip_core.errors import TableError
from blip_core.inference import answer, answer_row_by_row, predict, predict_row_by_row
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import Quantisation
from blip_core.recipes.inference import Inference
from blip_core.records import Example, Prediction
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")

# Of a probability: so far are both ways from each other at the most. Either is up to 1.4e-5 from float64.
NOISE = 3e-5

# Of a probability: the tiny T5's weights are so large that what half precision rounds comes out magnified.
TOLERANCES = {("nf4", "float32"): 0.02, ("int8", "float32"): 0.1, ("nf4", "bfloat16"): 0.1}


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


def chances(prediction: Prediction) -> list[float]:
    return list(prediction.probabilities)


def test_batches_say_what_the_row_by_row_oracle_says(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    examples = make_examples(7)

    batched = predict(bundle, examples, inference_settings, "flan-t5")
    oracle = predict_row_by_row(bundle, examples, inference_settings, "flan-t5")

    for ours, expected in zip(batched, oracle, strict=True):
        assert (ours.id, ours.description, ours.generated) == (
            expected.id,
            expected.description,
            expected.generated,
        )
        assert chances(ours) == pytest.approx(chances(expected), abs=NOISE)
    assert len({tuple(chances(one)) for one in batched}) == len(examples)


EVERYTHING = {
    "circular": True,
    "ablations": ("one-stage", "description-only", "blind"),
    "free_generation": True,
}


@pytest.mark.parametrize(
    "changed", [{"ranking": "texts"}, {"beams": 3}, {"batch_size": 3, "max_new_tokens": 20}]
)
def test_every_mode_and_rotation_says_what_the_oracle_says(
    bundle: Blip2Bundle,
    make_examples: MakeExamples,
    inference_settings: Inference,
    changed: dict[str, object],
) -> None:
    settings = inference_settings.model_copy(update=EVERYTHING | changed)
    examples = make_examples(5)

    batched = answer(bundle, examples, settings, "x")
    oracle = answer_row_by_row(bundle, examples, settings, "x")

    assert len(batched.ablations) == 3 * len(examples)
    for ours, expected in zip(
        batched.predictions + batched.ablations, oracle.predictions + oracle.ablations, strict=True
    ):
        assert chances(ours) == pytest.approx(chances(expected), abs=NOISE)
        assert means(ours) == pytest.approx(means(expected), abs=NOISE)
        assert words(ours) == words(expected)


@pytest.mark.parametrize("ranking", ["letters", "texts"])
def test_rows_of_two_to_ten_options_stand_in_one_batch(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference, ranking: str
) -> None:
    settings = inference_settings.model_copy(update=EVERYTHING | {"ranking": ranking})
    options = ("dog", "boat", "tree", "cup", "bus", "cat", "a park", "a beach", "a city", "a dog")
    padded = {2: ("dog", "boat", "", ""), 4: options[:4], 5: options[:5], 10: options}
    examples = [
        one.with_options(padded[count]) for one, count in zip(make_examples(4), (5, 2, 10, 4), strict=True)
    ]

    batched = answer(bundle, examples, settings, "x").predictions
    oracle = answer_row_by_row(bundle, examples, settings, "x").predictions

    assert [(one.offered, len(one.probabilities)) for one in batched] == [(5, 5), (2, 4), (10, 10), (4, 4)]
    for ours, expected in zip(batched, oracle, strict=True):
        assert chances(ours) == pytest.approx(chances(expected), abs=NOISE)
        assert means(ours) == pytest.approx(means(expected), abs=NOISE)
        assert words(ours) == words(expected)
        assert sum(chances(ours)[: ours.offered]) == pytest.approx(1.0)


def means(prediction: Prediction) -> list[float]:
    return list(prediction.means or ())


def words(prediction: Prediction) -> tuple[object, ...]:
    return (
        prediction.id,
        prediction.mode,
        prediction.description,
        prediction.generated,
        prediction.ranked,
        prediction.rotations_right,
        prediction.flags,
    )


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize(
    ("quantisation", "dtype"), [("nf4", "float32"), ("int8", "float32"), ("nf4", "bfloat16")]
)
def test_quantised_batches_say_what_the_quantised_oracle_says(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    inference_settings: Inference,
    family: str,
    quantisation: Quantisation,
    dtype: str,
) -> None:
    bundle = load_blip2(tiny_blip2(family), quantisation, dtype=dtype)
    # Without stage one: ties in bfloat16 would part the descriptions.
    settings = inference_settings.model_copy(update={"describe_prompt": ""})

    batched = predict(bundle, make_examples(5), settings, "x")
    oracle = predict_row_by_row(bundle, make_examples(5), settings, "x")

    for ours, expected in zip(batched, oracle, strict=True):
        assert chances(ours) == pytest.approx(chances(expected), abs=TOLERANCES[quantisation, dtype])


def test_each_distinct_picture_is_encoded_once_for_both_stages_and_all_questions(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    seen = {"vision": 0, "qformer": 0}

    def count(part: str) -> object:
        def hook(module: torch.nn.Module, args: object, output: object) -> None:
            seen[part] += len(output[0])  # type: ignore[index]

        return hook

    hooks = [
        bundle.blip2.vision_model.register_forward_hook(count("vision")),
        bundle.blip2.qformer.register_forward_hook(count("qformer")),
    ]
    predict(bundle, make_examples(10), inference_settings, "x")
    for hook in hooks:
        hook.remove()

    assert seen == {"vision": 5, "qformer": 5}


def test_a_swapped_picture_changes_the_answer(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    settings = inference_settings.model_copy(update={"describe_prompt": ""})
    example, other = make_examples(3)[0], make_examples(3)[2]

    before, after = predict(bundle, [example, replace(example, image=other.image)], settings, "x")

    assert max(abs(x - y) for x, y in zip(chances(before), chances(after), strict=True)) > 1e-4


def test_probabilities_sum_to_one_and_the_ranked_letter_has_the_greatest(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    for prediction in predict(bundle, make_examples(4), inference_settings, "x"):
        assert sum(chances(prediction)) == pytest.approx(1.0)
        assert "ABCD"[chances(prediction).index(max(chances(prediction)))] == prediction.ranked


def test_without_free_generation_nothing_is_written(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    settings = inference_settings.model_copy(update={"free_generation": False})

    predictions = predict(bundle, make_examples(3), settings, "x")

    assert {(one.generated, one.generated_letter) for one in predictions} == {("", "")}


def test_progress_counts_every_pass_over_every_row(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    told: list[tuple[int, int]] = []

    predict(bundle, make_examples(5), inference_settings, "x", lambda done, total: told.append((done, total)))

    assert told[-1] == (15, 15)
    assert told == sorted(told)


def test_no_examples_give_no_predictions(bundle: Blip2Bundle, inference_settings: Inference) -> None:
    assert predict(bundle, [], inference_settings, "x") == []


BRIEF = {"beams": 3, "length_penalty": -1.0}  # as BLIP-2's published scores were made


def as_free_rows(examples: list[Example]) -> list[Example]:
    """The same pictures: captions and free questions, with a four-option question between them."""
    free = [replace(one, answer="", target="a bus").with_options([""] * 4) for one in examples]
    tasks = ["caption", "vqa"] * len(examples)
    return [replace(one, task=task) for one, task in zip(free, tasks, strict=False)] + examples[:1]


@pytest.mark.parametrize("changed", [{}, {"beams": 3}, BRIEF, {"min_new_tokens": 5}, {"describe_prompt": ""}])
def test_rows_without_options_are_answered_by_text_as_the_oracle_answers_them(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference, changed: dict[str, Any]
) -> None:
    rows = as_free_rows(make_examples(5))
    settings = inference_settings.model_copy(update=changed)

    batched = predict(bundle, rows, settings, "x")
    oracle = predict_row_by_row(bundle, rows, settings, "x")

    assert [one.generated for one in batched] == [one.generated for one in oracle]
    assert [one.task for one in batched] == [row.task for row in rows]
    assert {(one.ranked, one.truth, one.offered, one.target) for one in batched[:-1]} == {
        ("", "", 0, "a bus")
    }
    assert batched[-1].offered == 4


def test_no_text_ends_before_its_fewest_tokens(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    rows = as_free_rows(make_examples(4))[:-1]
    settings = inference_settings.model_copy(update={"min_new_tokens": 6, "max_new_tokens": 6})

    written = answer(bundle, rows, settings, "x").counts.written_tokens

    assert written >= 6 * len(rows)


def test_a_picture_that_cannot_be_read_is_named(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    broken = replace(make_examples(1)[0], image=b"no picture")

    with pytest.raises(TableError, match=broken.id):
        predict(bundle, [broken], inference_settings, "x")
