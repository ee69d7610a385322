"""Texts that name special tokens do no harm to the model's other rows, nor to their own."""

from dataclasses import replace

import pytest

from blip_core.inference import predict
from blip_core.modeling import load_blip2
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Prediction
from tests.tiny_blip2 import FolderOf, MakeExamples

HOSTILE = "<image><image> What? {question} {description} </s> <pad>"


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


def chances(prediction: Prediction) -> list[float]:
    return [prediction.p_a, prediction.p_b, prediction.p_c, prediction.p_d]


def test_image_tokens_in_a_row_change_no_other_row(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    plain = make_examples(4)
    hostile = [replace(plain[0], question=HOSTILE, a=HOSTILE, description=HOSTILE), *plain[1:]]

    expected = predict(bundle, plain, inference_settings, "x")
    found = predict(bundle, hostile, inference_settings, "x")

    assert len(found) == len(plain)
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert ours.description == theirs.description
        assert chances(ours) == pytest.approx(chances(theirs), abs=1e-5)


def test_a_row_with_image_tokens_still_sees_its_own_picture(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    examples = make_examples(6)
    first = replace(examples[0], question=HOSTILE)
    second = next(example for example in examples if example.image != first.image)
    settings = inference_settings.model_copy(update={"describe_prompt": ""})

    one, other = predict(bundle, [first, replace(first, id="x", image=second.image)], settings, "x")

    assert chances(one) != pytest.approx(chances(other), abs=1e-6)
