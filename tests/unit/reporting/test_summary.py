import dataclasses
import json

import pytest

from blip_core.reporting import ChampionSummary, StageSummary, Summary


def test_the_object_has_the_promised_keys(summary):
    values = json.loads(summary.to_json())
    assert set(values) == {
        "dataset",
        "variants",
        "comparisons",
        "adapter",
        "stages",
        "mlflow",
        "report",
        "champion",
        "findings",
        "published",
        "phases",
        "scores",
        "growth",
    }
    assert set(values["dataset"]) == {"path", "digest", "rows", "rejected", "gates"}
    assert values["variants"]["baseline"] == {
        "accuracy": 0.262,
        "ci95": [0.243, 0.282],
        "n": 2000,
        "generation_accuracy": 0.1,
        "invalid": 0.8,
        "circular": None,
        "measure": "letter-right",
        "value": 0.262,
        "measures": {},
    }
    assert values["comparisons"][1] == {
        "a": "flan-t5",
        "b": "finetuned",
        "difference": 0.051,
        "ci95": [0.03, 0.072],
        "p_value": 0.0004,
        "p_adjusted": 0.0004,
    }
    assert values["stages"]["pictures"] == {"seconds": 0.1, "cached": True, "costs": {}}


def test_free_generation_that_was_off_is_null(summary):
    assert summary.to_dict()["variants"]["finetuned"]["invalid"] is None


def test_findings_come_back_as_they_were(summary, finding):
    told = dataclasses.replace(summary, findings=(finding(), finding(name="other", holds=False)))
    assert Summary.from_dict(told.to_dict()) == told
    (first, _) = told.to_dict()["findings"]
    promised = "name a b measure difference ci95 p_value p_adjusted n test expect margin holds"
    assert set(promised.split()) < set(first)
    assert first["ci95"] == [0.03, 0.072]


@pytest.mark.parametrize("champion", [None, ChampionSummary(False, ("Too few rows.",))])
def test_it_comes_back_as_it_was(summary, champion):
    decided = dataclasses.replace(summary, champion=champion)
    assert Summary.from_dict(decided.to_dict()) == decided


def test_a_number_json_cannot_hold_is_an_error(summary):
    broken = dataclasses.replace(summary, stages={"scenes": StageSummary(float("nan"), False)})
    with pytest.raises(ValueError, match="JSON"):
        broken.to_json()
