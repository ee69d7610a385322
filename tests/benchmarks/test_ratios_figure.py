import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import growth_figure, measuring, ratios_figure
from tests.benchmarks.processors import ENTRIES
from tests.benchmarks.ratios_figure import Bar, ladders, ratios

NAMES = ("finetune", "inference", "dataset")


def results() -> dict[str, Any]:
    return {name: measuring.read(measuring.RESULTS / f"{name}.json") for name in NAMES}


def copy_results(folder: Path, *names: str) -> None:
    for name in names:
        content = (measuring.RESULTS / f"{name}.json").read_bytes()
        (folder / f"{name}.json").write_bytes(content)


def test_the_figure_on_file_is_that_of_the_results_on_file(tmp_path: Path) -> None:
    copy_results(tmp_path, *NAMES)

    drawn = ratios_figure.draw(tmp_path)

    on_file = measuring.RESULTS / ratios_figure.NAME
    assert drawn.read_bytes() == on_file.read_bytes(), "python -m tests.benchmarks.ratios_figure draws it"


def test_the_figure_of_growth_on_file_is_that_of_the_results_on_file(tmp_path: Path) -> None:
    copy_results(tmp_path, "growth")
    on_file = measuring.RESULTS / growth_figure.NAME

    if measuring.read(tmp_path / "growth.json")[ENTRIES]:
        drawn = growth_figure.draw(tmp_path)
        assert drawn.read_bytes() == on_file.read_bytes(), "python -m tests.benchmarks.growth_figure draws it"
    else:
        assert not on_file.exists()


def test_growth_is_drawn_a_panel_a_processor_and_equal_results_to_equal_bytes(tmp_path: Path) -> None:
    points = [{"rows": rows, "cpu_seconds": 0.1 * rows} for rows in (10, 40, 160)]
    entry = {"machine": {"cpu": "Intel Xeon"}, "stages": {"labels": {"exponent": 1.0, "points": points}}}
    (tmp_path / "growth.json").write_text(json.dumps({ENTRIES: [entry, entry]}), encoding="utf-8")

    first = growth_figure.draw(tmp_path).read_bytes()

    assert growth_figure.draw(tmp_path).read_bytes() == first
    assert first.startswith(b"<?xml")


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is nothing to draw"):
        growth_figure.draw(tmp_path)


def test_every_ratio_on_file_has_a_bar() -> None:
    found = results()
    medians = [bar.median for bar in ratios(found)]
    for entry in found["inference"]["cpu"]:
        assert {one["median"] for one in entry["ratio_cpu"].values()} <= set(medians)
    for entry in found["finetune"]["cpu"]:
        assert entry["ratio_cpu"]["median"] in medians
        assert entry["ratio_cpu_published_shares"]["median"] in medians


def test_steps_are_shown_where_an_entry_has_them() -> None:
    machine = {"cpu": "Intel Xeon"}
    told = {"machine": machine, "origin": "a report", "ratio_cpu": {"median": 3.8}}
    whole = {"machine": machine, "ablation": [{"what": "`it`", "ratio_cpu": 2.0}]}

    assert ladders({"finetune": {"cpu": [told]}}) == {}
    assert ladders({"finetune": {"cpu": [told, whole]}}) == {
        "tuning, step by step": [Bar("it", "Intel Xeon", 2.0)]
    }
