from typing import Any

import pytest

from blip_core.modeling import load_blip2
from tests.benchmarks import inference, inference_page, rungs
from tests.benchmarks.inference import Campaign, Case
from tests.benchmarks.processors import ENTRIES
from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES

pytestmark = pytest.mark.slow

ONE, TWO = Case("tiny-t5", 4, 1), Case("tiny-t5", 4, 2)
TINY = Campaign(cases=(ONE, TWO), large_tower=(), ladder=TWO, batch_size=4, description_tokens=6, pairs=1)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return inference.measure(TINY)


def test_both_sides_say_the_same(results: dict[str, Any]) -> None:
    assert results["equal_outputs"] == {"descriptions": True, "generated_letters": True, "ranking": True}
    assert all(one["distinct_descriptions"] > 1 for one in results["outputs"].values())


def test_each_case_has_a_ratio_and_counts(results: dict[str, Any]) -> None:
    assert results["ratio_cpu"].keys() == results["counts"].keys() == {"tiny-t5_1q", "tiny-t5_2q"}
    assert [one["vision_forwards"] for one in results["counts"].values()] == [4, 2]
    assert all(one["pairs"] == 1 for one in results["ratio_cpu"].values())


def test_the_page_shows_every_ratio_and_rung(results: dict[str, Any]) -> None:
    page = inference_page.page({ENTRIES: [results], "gpu": None})

    for name, one in results["ratio_cpu"].items():
        assert f"| {name} | **{one['median']}** |" in page
    for rung in results["ablation"]["ladder"]:
        assert rung["what"] in page


def test_every_rung_gives_the_same_answers(tmp_path: Any) -> None:
    bundle = load_blip2(save_random_blip2(SHAPES["tiny-t5"], tmp_path))
    examples, settings = TWO.examples(), TINY.settings()

    said = [rungs.answer_by(rung, bundle, examples, settings) for rung in rungs.ladder(batch_size=4)]

    assert all(one == said[0] for one in said[1:4])
    assert [[row.description for row in one] for one in said[4:]] == [
        [row.description for row in said[0]]
    ] * 2
    assert all(row.answer in "ABCD" for one in said[4:] for row in one)
