"""`foundry run --seeds N`: each seed a run of its own, their findings pooled, nothing worked twice."""

import json
from pathlib import Path

import pytest

from tests.flows.test_cli import foundry
from tests.published_sets import asked_rows, write_vqa

SEEDS = [5, 6]
FINDING = 'findings=[{name = "t5-answers", a = "opt", b = "flan-t5", measure = "exact-answer"}]'


@pytest.fixture
def asked(tmp_path, home) -> list[str]:
    root = write_vqa(tmp_path / "vqa", asked_rows(6))
    told = (f"evaluation.path={root}", FINDING, "seed=5")
    return ["run", "vqav2-zero-shot", "--seeds", "2", *(part for one in told for part in ("--set", one))]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.filterwarnings("default")  # Prefect's and MLflow's own servers warn
def test_two_seeds_are_two_runs_below_one_whose_findings_are_pooled(asked, capfd, monkeypatch):
    monkeypatch.setattr("flows.cli.seeded.prepare_run", lambda console: None)
    assert foundry(monkeypatch, *asked, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    (found,) = told["findings"]
    assert told["seeds"] == SEEDS
    assert [len(found["by_seed"]), len(told["runs"]), found["pooled"]["n"]] == [2, 2, 6]
    assert len({run["mlflow"]["run_id"] for run in told["runs"]}) == 2
    path = Path(told["file"])
    assert json.loads(path.read_text())["findings"] == told["findings"]
    assert _parents(told) == [path.parent.name] * 2

    assert foundry(monkeypatch, *asked) == 0
    said = capfd.readouterr().out
    assert "to be made" not in said
    assert "t5-answers" in said
    assert f"in {found['holding']} of 2 seeds" in said


def test_a_plan_names_the_stages_of_every_seed_and_works_none(asked, capfd, monkeypatch):
    assert foundry(monkeypatch, *asked, "--dry-run", "--json") == 0
    planned = json.loads(capfd.readouterr().out)
    assert [*planned] == ["5", "6"]
    assert all({stage["cached"] for stage in stages} == {False} for stages in planned.values())


@pytest.mark.parametrize("count", ["0", "-1", "1000000", "two"])
def test_a_number_of_seeds_that_makes_no_sense_is_refused(count, home, capfd, monkeypatch):
    assert foundry(monkeypatch, "run", "gallery-vqa", "--seeds", count) == 2
    assert "--seeds" in capfd.readouterr().err


def test_seeds_beyond_the_largest_are_refused_before_any_work(home, capfd, monkeypatch):
    largest = ["--set", f"seed={2**32 - 1}", "--seeds", "2"]
    assert foundry(monkeypatch, "run", "gallery-vqa", *largest) == 2
    assert "seed" in capfd.readouterr().err


def _parents(told) -> list[str]:
    """Our own ids of the runs above those of the seeds, as MLflow has them."""
    from mlflow import MlflowClient

    client = MlflowClient(told["runs"][0]["mlflow"]["tracking_uri"])
    runs = [client.get_run(run["mlflow"]["run_id"]) for run in told["runs"]]
    above = [client.get_run(run.data.tags["mlflow.parentRunId"]) for run in runs]
    return [run.data.tags["foundry.run"] for run in above]
