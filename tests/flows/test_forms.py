"""What a filled-in form means."""

from datetime import UTC, datetime

import pytest
from prefect.runtime import flow_run

from blip_core.recipes import load_recipe
from flows.forms import AS_RECIPE, SEED_AS_RECIPE, SEED_OF_THE_DAY, resolve


def test_an_empty_form_is_the_recipe():
    assert resolve("gallery-vqa", "pocket", [], SEED_AS_RECIPE, scenes__count=AS_RECIPE) == load_recipe(
        "gallery-vqa"
    )


def test_numbers_change_their_fields_and_overrides_win():
    plan = resolve("gallery-vqa", "pocket", ["scenes.count=7"], 3, scenes__count=9, finetune__epochs=2.5)
    assert (plan.seed, plan.scenes.count, plan.finetune.epochs) == (3, 7, 2.5)


@pytest.mark.parametrize("day", ["2027-01-31", "2026-11-21"])
def test_the_seed_of_the_day_is_the_day_for_which_a_run_was_scheduled(monkeypatch, day):
    scheduled = datetime.fromisoformat(day).replace(tzinfo=UTC)
    monkeypatch.setitem(flow_run.FIELDS, "scheduled_start_time", lambda: scheduled)
    plan = resolve("gallery-vqa", "pocket", [], SEED_OF_THE_DAY)
    assert plan.seed == int(day.replace("-", ""))
