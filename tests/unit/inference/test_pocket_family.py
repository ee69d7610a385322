"""The bundled models, quantised or not as their recipe says, answer in batches as they do row by row."""

from functools import cache

import pytest

from blip_core.inference import answer, answer_row_by_row
from blip_core.modeling import load_blip2
from blip_core.pocket import models_dir
from blip_core.recipes import load_recipe
from blip_core.records import Example
from blip_core.wiring import evaluation_examples, inference_settings

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = 6
MAX_PADDED_SHARE = 0.1


@cache
def rows(limit: int) -> list[Example]:
    from pathlib import Path

    return evaluation_examples(load_recipe("gallery-vqa", "pocket", [f"evaluation.limit={limit}"]), Path())


@pytest.mark.parametrize("name", ["blip2-t5", "blip2-opt"])
def test_in_batches_and_row_by_row_everything_said_is_equal(name: str) -> None:
    settings = inference_settings(load_recipe("gallery-vqa", "pocket"))
    bundle = load_blip2(models_dir() / name, dtype="float32")

    batched = answer(bundle, rows(ROWS), settings, name)
    oracle = answer_row_by_row(bundle, rows(ROWS), settings, name)

    for ours, expected in zip(batched.predictions, oracle.predictions, strict=True):
        assert ours.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        assert (ours.description, ours.generated, ours.ranked) == (
            expected.description,
            expected.generated,
            expected.ranked,
        )


def test_few_tokens_of_the_evaluation_set_are_pads() -> None:
    settings = inference_settings(load_recipe("gallery-vqa", "pocket"))
    short = settings.model_copy(update={"max_new_tokens": 4, "free_generation": False})
    bundle = load_blip2(models_dir() / "blip2-opt", dtype="float32")

    counts = answer(bundle, rows(200), short, "x").counts

    assert counts.padded_share < MAX_PADDED_SHARE
    assert counts.pictures == counts.vision_forwards == len({row.image for row in rows(200)})
