"""How experiments and runs look on MLflow's page: what is written for it, read back from a real store."""

import json
from dataclasses import dataclass, field

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST

from blip_core.tracking import JournalTracker, replay
from blip_core.tracking.pages import (
    KIND_TAG,
    NOTE_CHARS,
    NOTE_TAG,
    TRAINING,
    VIEW_TAG,
    dress,
    experiment_page,
    with_first_look,
)

GENAI = "genai_development"


def started(tracker, experiment, client):
    """The experiment of a run that was recorded just now."""
    tracker.start(experiment, "run", {}).finish()
    return client.get_experiment_by_name(experiment)


def test_a_new_experiment_is_one_of_training_with_a_view_of_scores(tracker, client):
    tags = started(tracker, "new", client).tags
    view = json.loads(tags[VIEW_TAG])
    assert tags[KIND_TAG] == TRAINING
    assert view["name"] == "Scores"
    assert json.loads(view["state"])["selectedColumns"][1] == "metrics.`eval/accuracy`"


def test_an_experiment_that_was_there_without_a_kind_gets_one(tracker, client):
    client.create_experiment("older")
    assert started(tracker, "older", client).tags[KIND_TAG] == TRAINING


def test_what_somebody_decided_an_experiment_to_be_stays(tracker, client):
    made = client.create_experiment("decided")
    client.set_experiment_tag(made, KIND_TAG, GENAI)
    tags = started(tracker, "decided", client).tags
    assert tags[KIND_TAG] == GENAI
    assert VIEW_TAG not in tags


def test_a_view_that_was_deleted_does_not_come_back(tracker, client):
    made = started(tracker, "without-view", client)
    client.delete_experiment_tag(made.experiment_id, VIEW_TAG)
    assert VIEW_TAG not in started(tracker, "without-view", client).tags


@dataclass
class RefusingClient:
    """An MLflow that lets nobody tag experiments."""

    error: int
    tags: dict[str, str] = field(default_factory=dict)

    def get_experiment(self, experiment_id):
        return self

    def set_experiment_tag(self, experiment_id, name, value):
        raise MlflowException("no", error_code=self.error)


@pytest.mark.parametrize("error", [PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST, INTERNAL_ERROR])
def test_a_server_that_tags_no_experiments_does_not_hinder_the_run(error):
    dress(RefusingClient(error), "1")


def test_a_note_written_while_mlflow_was_away_arrives_and_the_last_one_stays(home, uri, client, tmp_path):
    journal = tmp_path / "journal"
    run = JournalTracker(journal).start("notes", "noted", {})
    run.note("**first**")
    run.note("| variant | accuracy |\n|---|---|\n| finetuned | 76.3 % |")
    run.finish()
    for _ in range(2):
        replay(journal, uri)
        (found,) = client.search_runs([client.get_experiment_by_name("notes").experiment_id])
        assert found.data.tags[NOTE_TAG].endswith("| finetuned | 76.3 % |")


def test_a_long_note_is_cut_where_every_mlflow_would_refuse_it(tracker, client):
    run = tracker.start("notes-cut", "long", {})
    run.note("a" * (NOTE_CHARS + 1))
    run.finish()
    note = client.get_run(run.mlflow_id).data.tags[NOTE_TAG]
    assert (len(note), note[-2:]) == (NOTE_CHARS, "a…")


def test_links_ask_for_the_pages_of_training(tracker):
    run = tracker.start("links", "linked", {})
    run.finish()
    assert run.page("http://m:5000/").endswith(f"/runs/{run.mlflow_id}?workflowType=machine_learning")
    assert "/artifacts/report.html?workflowType=machine_learning" in run.file_page(
        "http://m:5000", "report.html"
    )
    assert run.file_address("http://m:5000", "a b.png").startswith("http://m:5000/get-artifact?path=a+b.png&")
    assert "viewStateShareKey=foundry-scores" in experiment_page("http://m:5000", "1")


def test_a_run_that_mlflow_does_not_know_has_no_links(tmp_path):
    run = JournalTracker(tmp_path / "journal").start("links", "unlinked", {})
    run.finish()
    assert (run.file_page("http://m", "a"), run.file_address("http://m", "a")) == ("", "")


def test_a_browsers_first_look_is_set_before_any_other_script_runs():
    page = with_first_look('<html><head><script src="main.js"></script></head></html>')
    assert page.index("machine_learning") < page.index("main.js")


def test_a_page_of_another_make_is_served_as_it_is():
    assert with_first_look("<html><body></body></html>") == "<html><body></body></html>"
