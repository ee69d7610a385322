"""The whole report at tiny size on this machine: that it says what it says, not how fast anything is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blip_core.planning.rates import deciding, read_rates, settings_of
from blip_core.recipes import load_recipe
from tests.gpu.report.parts import NAMES, parts_named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it takes one on a machine at rest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    command = [sys.executable, "-m", "tests.gpu.report", "--small", "--minutes", "14", "--out", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + (place / "log.txt").read_text(encoding="utf-8")[-5000:]
    return place


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def figures(report: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return next(one["figures"] for one in report["parts"] if one["name"] == part)


def test_every_part_is_done_and_every_claim_holds(report: dict[str, Any]) -> None:
    assert {part["name"]: part["status"] for part in report["parts"]} == dict.fromkeys(NAMES, "done")
    assert report["status"] == "finished"
    assert report["broken_claims"] == []
    assert report["peaks"].keys() == {"matmul_tflops", "copy_gb_per_second"}


def test_correctness_claims_what_only_exact_twins_can_show(report: dict[str, Any]) -> None:
    words = " | ".join(one["what"] for one in figures(report, "correctness") if "holds" in one)

    for what in ("NF4", "vision tower", "Q-Former", "losses", "adapter"):
        assert what in words


def test_tuning_measures_both_sides_and_the_plan(report: dict[str, Any]) -> None:
    tuning = figures(report, "tuning")

    measured = [one["what"].partition(",")[0] for one in tuning if one.get("samples_per_second")]
    assert measured.count("the sources' loop") == 2
    assert measured.count("training") >= 4
    assert any(one.get("planned_gb") for one in tuning)
    assert any(one.get("ratio") for one in tuning)


def test_speeds_stand_beside_shares_of_what_the_card_reaches(report: dict[str, Any]) -> None:
    for part in ("answering", "pictures"):
        assert any("share_of_matmul" in one and "share_of_copy" in one for one in figures(report, part))


def test_painting_and_labelling_are_measured_by_batch_size(report: dict[str, Any]) -> None:
    assert sum("labels_per_second" in one for one in figures(report, "labels")) == 2
    assert sum("pictures_per_second" in one for one in figures(report, "pictures")) == 2


def test_a_loaded_checkpoint_is_compared_with_the_one_that_was_made(report: dict[str, Any]) -> None:
    assert figures(report, "loading")[-1]["holds"] is True


def test_the_page_holds_every_measurement(folder: Path, report: dict[str, Any]) -> None:
    page = (folder / "report.md").read_text(encoding="utf-8")

    for part in report["parts"]:
        assert f"## {part['title']}" in page
        assert all(one["what"] in page for one in part["figures"])


def test_plans_can_read_its_rates_and_never_take_tiny_models_for_real_ones(folder: Path) -> None:
    rates = read_rates(folder / "rates.json")

    assert {rate.stage for rate in rates} == {"finetune", "predict flan-t5", "labels", "pictures"}
    real = settings_of(load_recipe("gallery-vqa", "datacenter"))
    for rate in rates:
        wanted = deciding(rate.stage, real)
        assert rate.settings.keys() == wanted.keys()
        assert rate.settings != wanted


def test_parts_are_chosen_by_name_in_the_reports_own_order() -> None:
    assert [part.name for part in parts_named("tuning, card")] == ["card", "tuning"]
    with pytest.raises(SystemExit, match="no part speed; --parts takes card,"):
        parts_named("speed")
