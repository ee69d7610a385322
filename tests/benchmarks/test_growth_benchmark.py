"""Growth and memory are measured in processes of their own, and told on a page."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import growth, growth_page, growth_work, measuring
from tests.benchmarks.processors import ENTRIES, kind_of


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_is_that_of_the_rows(power: float) -> None:
    points = [{"rows": rows, "cpu_seconds": 3 * rows**power} for rows in (10, 40, 160)]
    assert growth.exponent(points) == pytest.approx(power)


@pytest.mark.parametrize("stage", ["dataset", "compare"])
def test_a_stage_works_as_many_rows_as_it_is_asked_for(stage: str, tmp_path: Path) -> None:
    told = growth_work.measure(stage, 24, tmp_path)
    assert (told["stage"], told["rows"]) == (stage, 24)
    assert all(told[name] > 0 for name in ("cpu_seconds", "fixed_cpu_seconds", "peak_mb"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["scenes", "pictures", "labels", "finetune", "predict"])
def test_a_stage_that_runs_a_model_works_its_rows(stage: str, tmp_path: Path) -> None:
    assert growth_work.measure(stage, 4, tmp_path)["cpu_seconds"] > 0


@pytest.mark.slow
def test_growth_and_memory_are_measured_and_stand_on_the_page() -> None:
    results = growth.measure({"compare": 20}, (1, 2), sizes=())
    results["memory"] = growth.measure_memory(("tiny-t5",), ("encode",))

    page = growth_page.page({ENTRIES: [results]})

    assert results["stages"].keys() == {"compare"}
    assert [one["stage"] for one in results["memory"]] == ["encode"]
    assert "| compare | 20 / 40 |" in page
    for one in results["memory"]:
        assert f"| {one['stage']} | tiny-t5 | {one['planned_mb']:,} | {one['measured_mb']:,} |" in page


def test_what_is_beyond_its_bound_is_named() -> None:
    page = growth_page.page({ENTRIES: [entry(exponent=1.4, apart=-0.3)]})
    assert "Above it: labels." in page
    assert "Beyond it: encode 8M." in page
    assert "| encode | 8M | 700 | 1,000 | -30.0 % |" in page


def test_what_keeps_its_bound_is_not() -> None:
    page = growth_page.page({ENTRIES: [entry(exponent=1.05, apart=0.1)]})
    assert "Above it: none." in page
    assert "Beyond it: none." in page
    assert "| labels | 10 / 40 | 1.00 / 4.00 | **1.05** | 9.0 | 600 / 1,610 |" in page


def test_the_page_on_file_is_that_of_the_results_on_file() -> None:
    results = measuring.read(growth.RESULTS)
    assert growth.RESULTS.with_suffix(".md").read_text(encoding="utf-8") == growth_page.page(results)
    for one in results[ENTRIES]:
        assert f"## {kind_of(one)}\n" in growth_page.page(results)


def entry(exponent: float, apart: float) -> dict[str, Any]:
    points = [
        {"rows": 10, "cpu_seconds": 1.0, "peak_mb": 600.2},
        {"rows": 40, "cpu_seconds": 4.0, "peak_mb": 1610.0},
    ]
    memory = {"stage": "encode", "size": "8M", "planned_mb": 700, "measured_mb": 1000, "apart": apart}
    return {
        "machine": measuring.machine(1),
        "versions": measuring.versions(),
        "stages": {"labels": {"exponent": exponent, "fixed_cpu_seconds": 9.0, "points": points}},
        "memory": [memory],
        "most_exponent": growth.MOST_EXPONENT,
        "most_apart": growth.MOST_APART,
    }
