"""What makes a dataset is timed only where both sides make the same rows."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.benchmarks import dataset, dataset_gates, dataset_page, gates_work
from tests.benchmarks.dataset_pictures import are_equal, pictures
from tests.benchmarks.dataset_texts import Texts, labels, scenes
from tests.benchmarks.dataset_work import Work
from tests.benchmarks.processors import ENTRIES
from tests.layouts import llava15, qwen2

pytestmark = pytest.mark.slow

SMALL = {
    "scenes": partial(scenes, Texts(3, 2, 8, qwen2.build, "a small Qwen2")),
    "labels": partial(labels, Texts(3, 2, 8, llava15.build, "a small LLaVA")),
    "pictures": partial(pictures, 3),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return dataset.measure(SMALL, {}, pairs=1)


def test_each_stage_has_a_ratio_and_its_rates(results: dict[str, Any]) -> None:
    assert results["equal_rows"]
    assert results["ratio_cpu"].keys() == {"scenes", "labels", "pictures"}
    for one in results["ratio_cpu"].values():
        assert (one["pairs"], one["rows"]) == (1, 3)
        assert one["median"] > 0
        assert all(rate > 0 for rate in one["rows_per_cpu_second"].values())


def test_the_page_shows_every_ratio(results: dict[str, Any]) -> None:
    page = dataset_page.page({ENTRIES: [results], "gpu": None})
    for name, one in results["ratio_cpu"].items():
        assert f"| {name} | **{one['median']}** |" in page
        assert one["method"] in page


def test_gates_are_measured_by_rows_and_stand_on_the_page(
    results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(folder: Path) -> str:  # a process of its own would import everything once more
        (folder / "dataset").mkdir()
        return json.dumps(gates_work.curate_and_write(folder, folder / "dataset"))

    monkeypatch.setattr(dataset_gates, "_in_a_process", here)
    gates = dataset_gates.measure(tmp_path, (20, 40))
    page = dataset_page.page({ENTRIES: [{**results, "gates": gates}]})

    assert [one["rows"] for one in gates["sizes"]] == [20, 40]
    assert all(one["kept"] >= one["rows"] // 2 for one in gates["sizes"])
    assert all(one["cpu_ms_a_row"] > 0 < one["read_ms"] for one in gates["sizes"])
    assert f"A row takes {gates['ratio_of_time_a_row']} times as long among 40 as among 20." in page


@pytest.mark.parametrize("other", [["a", "c"], ["a"], ["b", "a"]])
def test_rows_that_differ_are_not_timed(other: list[str]) -> None:
    work = Work(2, lambda: ["a", "b"], lambda: other, lambda one, two: one == two, "letters")
    with pytest.raises(SystemExit, match="made other rows"):
        dataset.measure_part("letters", work, 1)


@pytest.mark.parametrize("build", [SMALL["scenes"], SMALL["labels"]])
def test_both_sides_write_texts_that_differ_from_row_to_row(build: Any, tmp_path: Path) -> None:
    work = build(tmp_path)
    batched, alone = work.batched(), work.one_by_one()
    assert batched == alone
    assert len(set(batched)) == work.rows


def test_pictures_are_equal_up_to_the_last_step_of_a_pixel() -> None:
    grey, nearly, other = ([Image.new("RGB", (2, 2), (100, 100, level))] for level in (100, 101, 102))
    assert are_equal(grey, nearly)
    assert not are_equal(grey, other)
    assert not are_equal(grey, [])
