import json
import socket
from pathlib import Path
from typing import Any

import pytest

from blip_core.training import tuning
from tests.benchmarks import finetune, finetune_page
from tests.benchmarks.finetune import Case
from tests.benchmarks.finetune_parts import DROPPING, ELEMENTS, PRODUCTS, plainly
from tests.benchmarks.processors import ENTRIES, kind_of

pytestmark = pytest.mark.slow

TINY = Case(
    size="tiny-t5",
    published_size="tiny-t5",
    pictures=3,
    questions=2,
    picture_px=64,
    epochs=2,
    equal_epochs=1,
    batch_size=4,
    pairs=1,
    published_pairs=1,
)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return finetune.measure(TINY)


def test_it_compares_both_ways_and_writes_a_page(results: dict[str, Any]) -> None:
    assert results["equal_losses"]["steps"] == 2
    assert results["equal_losses"]["largest_relative_difference"] < 1e-4
    assert results["vision_forwards"] == results["distinct_pictures"] == 3
    assert results["oracle_vision_forwards"] == 12
    assert results["ratio_cpu"]["low"] <= results["ratio_cpu"]["median"] <= results["ratio_cpu"]["high"]
    assert results["ratio_cpu"]["pairs"] == 1
    assert 0.0 < results["padded_share"] < 1.0
    page = finetune_page.page({ENTRIES: [results], "gpu": None})
    assert page.count(f"**{results['ratio_cpu']['median']} times**") == 2  # as the lowest, and as its own
    assert f"## {kind_of(results)}" in page


def test_what_makes_tunings_quick_is_added_rung_by_rung(results: dict[str, Any]) -> None:
    rungs = results["ablation"]
    assert len(rungs) == 7
    assert rungs[0]["ratio_cpu"] == 1
    assert all(rung["ratio_cpu"] > 0 for rung in rungs)


@pytest.mark.parametrize("part", [*PRODUCTS, *DROPPING, *ELEMENTS])
def test_each_part_can_be_left_out_and_comes_back(part: str) -> None:
    before = getattr(tuning, part)
    with plainly([part]), getattr(tuning, part)():
        assert getattr(tuning, part) is not before
    assert getattr(tuning, part) is before


def test_results_name_no_place_and_no_host(results: dict[str, Any]) -> None:
    text = json.dumps(results)

    assert str(Path.home()) not in text
    assert socket.gethostname() not in text
