"""A plan on several GPUs: who can help, what it costs, what the store is asked, what breaks first."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from blip_core.errors import RecipeError
from blip_core.planning import Plan, make_plan, scale
from blip_core.planning.cards import GB
from blip_core.planning.scaling import DATASET_BYTES_A_ROW, DATASET_MS_A_ROW, SHARD_REQUESTS
from blip_core.pocket import models_dir
from blip_core.recipes import load_recipe

ROWS_A_SHARD = {"scenes": 320, "pictures": 96, "labels": 96, "predict": 128}
BENCHMARK = Path(__file__).parents[3] / "docs/benchmarks/dataset.json"


def planned(profile: str, rows: int, *sets: str) -> Plan:
    return make_plan(load_recipe("gallery-vqa", profile, list(sets)), Path("none"), models_dir(), rows=rows)


@pytest.fixture(scope="module")
def million() -> Plan:
    return planned("cluster", 1_000_000)


def test_stages_in_shards_take_the_share_of_their_time_and_others_do_not(million):
    one, many = (scale(million, gpus, 2.0, ROWS_A_SHARD) for gpus in (1, 64))
    hours = {
        share.stage: (first.hours, share.hours) for first, share in zip(one.shares, many.shares, strict=True)
    }
    helping = {share.stage: share.gpus for share in many.shares}
    assert helping["scenes"] == helping["pictures"] == helping["labels"] == helping["predict finetuned"] == 64
    assert (helping["encode"], helping["finetune"]) == (1, 8)
    assert hours["pictures"][0] == pytest.approx(64 * hours["pictures"][1])
    assert hours["encode"][0] == hours["encode"][1]
    assert one.gpu_hours == pytest.approx(many.gpu_hours)
    assert one.busy == pytest.approx(1.0)
    assert many.busy < 0.7


def test_price_is_of_the_work_and_of_what_is_held(million):
    told = scale(million, 8, 3.0, ROWS_A_SHARD).to_dict()
    assert told["price_of_work"] == pytest.approx(3.0 * million.device_hours)
    assert told["price_of_all_held"] == pytest.approx(3.0 * 8 * told["hours"])
    assert told["bottleneck"] == max(told["stages"], key=lambda one: one["hours"])["stage"]
    json.dumps(told)


def test_no_more_workers_help_than_there_are_shards(million):
    few = replace(
        million, timings=[replace(one, rows=200) for one in million.timings if one.stage == "pictures"]
    )
    (share,) = scale(few, 64, 1.0, ROWS_A_SHARD).shares
    assert (share.gpus, share.why) == (3, "it has no more shards")


def test_looks_at_validation_that_outgrow_what_is_learnt_come_first(million):
    first = scale(million, 1, 1.0, ROWS_A_SHARD).limits[0]
    assert first.what == "validation while tuning"
    wanted = first.remedy.split(",")[0].removeprefix("--set ")
    mended = scale(planned("cluster", 1_000_000, wanted), 1, 1.0, ROWS_A_SHARD)
    assert mended.limits[0].what == "main memory of one machine"
    assert mended.gpu_hours < 0.6 * million.device_hours


def test_requests_grow_with_shards_and_lease_renewals(million):
    traffic = scale(million, 8, 1.0, ROWS_A_SHARD).traffic
    assert traffic.shards == 3_125 + 2 * 10_417 + 3 * 782
    assert traffic.requests["GET"] > traffic.shards * SHARD_REQUESTS["GET"]
    assert traffic.put_bytes > million.disk.pictures


def test_what_a_row_takes_by_gates_is_what_was_measured():
    sizes = json.loads(BENCHMARK.read_text())["cpu"][0]["gates"]["sizes"]
    few, many = sizes[0], sizes[-1]
    slope = (many["peak_mb"] - few["peak_mb"]) * GB / 1000 / (many["rows"] - few["rows"])
    assert pytest.approx(many["cpu_ms_a_row"], rel=0.25) == DATASET_MS_A_ROW
    assert pytest.approx(slope, rel=0.25) == DATASET_BYTES_A_ROW


def test_a_plan_on_a_cpu_is_not_shared_out_among_gpus():
    with pytest.raises(RecipeError, match="--gpus takes a profile for GPUs"):
        scale(planned("pocket", 100), 2, 1.0, ROWS_A_SHARD)
