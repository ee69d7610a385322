"""Memory, speed and correctness of the published sizes: `make test TESTS=tests/gpu` where there is a GPU."""

import pytest

from blip_core.modeling import dtype_manifest
from tests.benchmarks import gpu_finetune, gpu_inference
from tests.benchmarks.random_blip2 import make_random_blip2
from tests.benchmarks.shapes import SHAPES
from tests.gpu.parity import nf4_distance
from tests.gpu.report.claims import (
    AGREEING_SHARE,
    NF4_DISTANCE,
    PLAN_TOLERANCE,
    SMALL_CARD_GB,
)

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1800)]

CACHED_SAMPLES_PER_SECOND = 250  # on an H200
ROWS_PER_SECOND = 150  # on an H200


@pytest.mark.parametrize("size", ["flan-t5-xl", "opt-2.7b"])
def test_only_the_language_model_is_quantised(size: str) -> None:
    bundle = make_random_blip2(SHAPES[size], "nf4", "cuda", "bfloat16")

    stored = {row.module for row in dtype_manifest(bundle.blip2) if row.dtype == "nf4"}

    assert stored == {"language_model"}


@pytest.mark.parametrize("size", ["flan-t5-xl", "opt-2.7b"])
def test_nf4_computes_what_its_dequantised_twin_does(size: str) -> None:
    assert nf4_distance(make_random_blip2(SHAPES[size], "nf4", "cuda", "bfloat16")) < NF4_DISTANCE


def test_training_fits_a_small_card_and_takes_what_was_planned() -> None:
    stage = gpu_finetune.small_card_memory(gpu_finetune.GpuCase())

    assert stage["peak_gb"] <= SMALL_CARD_GB
    assert stage["planned_gb"] == pytest.approx(stage["peak_gb"], rel=PLAN_TOLERANCE)


def test_training_on_kept_features_is_fast() -> None:
    _, training = gpu_finetune.kept_features_speed(gpu_finetune.GpuCase(), tflops=None)

    assert training["samples_per_second"] >= CACHED_SAMPLES_PER_SECOND


def test_bfloat16_gives_the_letters_of_float32() -> None:
    letters = gpu_inference.compare_letters(gpu_inference.GpuCase())

    assert letters["rows"] > letters["all_rows"] / 2
    assert letters["agreeing_share"] >= AGREEING_SHARE, letters["flips"]


def test_answering_is_fast() -> None:
    ours, oracle, _ = gpu_inference.compare_speed(gpu_inference.GpuCase())

    assert ours["rows_per_second"] >= ROWS_PER_SECOND
    assert ours["rows_per_second"] >= 100 * oracle["rows_per_second"]
