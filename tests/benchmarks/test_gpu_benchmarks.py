"""What runs on a GPU at full size runs here on the CPU at tiny size."""

import pytest

from tests.benchmarks import finetune_page, gpu_finetune, gpu_inference, inference_page

pytestmark = pytest.mark.slow

TUNING = gpu_finetune.GpuCase(
    size="tiny-t5",
    device="cpu",
    pictures=3,
    questions=2,
    picture_px=64,
    batch_size=3,
    steps=2,
    warm_up=2,
    oracle_steps=2,
    matmul_side=64,
    small_batch=2,
    text_tokens=16,
)
ANSWERING = gpu_inference.GpuCase(
    size="tiny-t5",
    device="cpu",
    rows=8,
    oracle_rows=2,
    questions=2,
    picture_px=64,
    batch_size=4,
    description_tokens=4,
    letter_rows=8,
    margin_bound=1e-3,
)


def test_tuning_reports_every_stage_and_the_planned_memory() -> None:
    results = gpu_finetune.measure_on(TUNING)

    assert [stage["what"].partition(",")[0] for stage in results["stages"]] == [
        "vision tower",
        "training",
        "training",
        "training",
        "the sources' loop",
    ]
    assert all(stage["samples_per_second"] > 0 for stage in results["stages"])
    assert results["stages"][3]["planned_gb"] is not None
    assert all(stage["share_of_peak"] > 0 for stage in results["stages"][1:3])
    assert results["stages"][0]["what"] in finetune_page.page({"gpu": results})


def test_answering_reports_both_sides_and_the_letters() -> None:
    results = gpu_inference.measure_on(ANSWERING)

    assert [side["rows"] for side in results["sides"]] == [8, 2, 8]
    assert results["letters"]["all_rows"] == 8
    assert results["letters"]["agreeing_share"] is None or results["letters"]["agreeing_share"] > 0.5
    assert "row by row" in inference_page.page({"gpu": results})
