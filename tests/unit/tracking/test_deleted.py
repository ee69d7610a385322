"""What people delete in MLflow while runs go on: new runs are recorded all the same, and told where."""

import logging
import shutil

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from blip_core.tracking import JournalTracker, MlflowTracker, artifact_root, prepare_store, replay


@pytest.fixture
def mlflow(tmp_path, pristine):
    """An MLflow of this test alone: its client and tracker."""
    home = tmp_path / "mlflow"
    shutil.copytree(pristine, home)
    uri = prepare_store(home)
    return MlflowClient(uri, registry_uri=uri), MlflowTracker(uri, tmp_path / "journal", artifact_root(home))


def recorded(client):
    """Active runs by experiment."""
    experiments = client.search_experiments(filter_string="name != 'Default'")
    return {
        one.name: sorted(run.info.run_name for run in client.search_runs([one.experiment_id]))
        for one in experiments
    }


def record(tracker, name):
    run = tracker.start("gallery", name, {})
    child = run.child(f"{name} stage")
    child.metrics({"stage/seconds": 1.0})
    child.finish()
    run.finish()
    return run


def delete_experiment(client, name="gallery"):
    client.delete_experiment(client.get_experiment_by_name(name).experiment_id)


def test_runs_after_a_deleted_experiment_are_recorded_beside_it(mlflow, caplog):
    client, tracker = mlflow
    record(tracker, "first")
    delete_experiment(client)
    later = MlflowTracker(tracker.uri, tracker._journal_dir)
    run = record(later, "second")
    record(later, "third")
    assert recorded(client) == {"gallery-2": ["second", "second stage", "third", "third stage"]}
    assert run.mlflow_id
    assert (
        caplog.text.count("The experiment gallery was deleted in MLflow: runs are recorded in gallery-2") == 1
    )


def test_a_restored_experiment_takes_runs_again(mlflow):
    client, tracker = mlflow
    record(tracker, "first")
    experiment = client.get_experiment_by_name("gallery").experiment_id
    client.delete_experiment(experiment)
    record(MlflowTracker(tracker.uri, tracker._journal_dir), "second")
    client.restore_experiment(experiment)
    record(MlflowTracker(tracker.uri, tracker._journal_dir), "third")
    assert recorded(client)["gallery"] == ["first", "first stage", "third", "third stage"]


def test_the_next_number_is_taken_where_that_experiment_was_deleted_too(mlflow):
    client, tracker = mlflow
    record(tracker, "first")
    for name in ("gallery", "gallery-2"):
        delete_experiment(client, name)
        record(MlflowTracker(tracker.uri, tracker._journal_dir), "next")
    assert recorded(client) == {"gallery-3": ["next", "next stage"]}


def test_journals_that_waited_are_sent_where_runs_are_recorded_now(mlflow):
    client, tracker = mlflow
    record(tracker, "first")
    delete_experiment(client)
    record(JournalTracker(tracker._journal_dir), "waited")
    assert replay(tracker._journal_dir, tracker.uri).left == 0
    assert recorded(client) == {"gallery-2": ["waited", "waited stage"]}


def test_a_run_whose_experiment_is_deleted_while_it_goes_on_is_recorded_anew(mlflow, caplog):
    client, tracker = mlflow
    run = tracker.start("gallery", "running", {})
    run.params({"seed": 1})
    run.metrics({"train/loss": 2.0}, step=1)
    run.flush()
    delete_experiment(client)
    child = run.child("stage")
    child.finish()
    run.metrics({"train/loss": 1.0}, step=2)
    run.finish()
    stored, stored_child = client.get_run(run.mlflow_id), client.get_run(child.mlflow_id)
    assert recorded(client) == {"gallery-2": ["running", "stage"]}
    assert stored.data.params == {"seed": "1"}
    assert [one.value for one in client.get_metric_history(run.mlflow_id, "train/loss")] == [2.0, 1.0]
    assert (stored.info.status, stored_child.info.status) == ("FINISHED", "FINISHED")
    assert stored_child.data.tags["mlflow.parentRunId"] == run.mlflow_id
    assert "recorded anew" in caplog.text


def test_no_more_is_sent_of_a_run_that_somebody_deleted(mlflow, caplog):
    client, tracker = mlflow
    run = tracker.start("gallery", "unwanted", {})
    run.flush()
    client.delete_run(run.mlflow_id)
    run.metrics({"train/loss": 1.0})
    child = run.child("stage")
    child.finish()
    run.finish()
    assert recorded(client) == {"gallery": ["stage"]}
    (deleted,) = client.search_runs([stored(client)], run_view_type=ViewType.DELETED_ONLY)
    assert deleted.data.metrics == {}
    assert [one.levelno for one in caplog.records if "no more of it is sent" in one.message] == [
        logging.WARNING
    ]
    assert replay(tracker._journal_dir, tracker.uri).entries == 0


def stored(client):
    return client.get_experiment_by_name("gallery").experiment_id


def test_a_run_that_mlflow_never_heard_of_is_recorded_anew(mlflow, pristine, tmp_path):
    """As where the database was moved away, or an experiment purged, while a killed run waited."""
    client, tracker = mlflow
    run = tracker.start("gallery", "purged", {})
    run.metrics({"train/loss": 1.0})
    run.flush()
    shutil.copy(pristine / "mlflow.db", tmp_path / "mlflow" / "mlflow.db")
    run.metrics({"train/loss": 0.5}, step=1)
    run.finish()
    assert recorded(client) == {"gallery": ["purged"]}
    assert len(client.get_metric_history(run.mlflow_id, "train/loss")) == 2


@pytest.mark.parametrize("gone", ["model", "alias", "version"])
def test_an_adapter_is_registered_again_after_its_entry_was_deleted(mlflow, tmp_path, gone):
    client, tracker = mlflow
    for number in range(2):
        (tmp_path / "adapter").mkdir(exist_ok=True)
        (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
        run = tracker.start("gallery", f"tuned {number}", {})
        version = run.adapter(tmp_path / "adapter", "gallery-adapter", {"eval/accuracy": 0.5}, champion=True)
        run.finish()
        assert dict(client.get_registered_model("gallery-adapter").aliases) == {
            "candidate": int(version),
            "champion": int(version),
        }
        if gone == "model":
            client.delete_registered_model("gallery-adapter")
        elif gone == "alias":
            client.delete_registered_model_alias("gallery-adapter", "champion")
        else:
            client.delete_model_version("gallery-adapter", version)


def test_a_folder_of_files_that_cannot_be_made_costs_the_files_alone(mlflow, tmp_path, caplog):
    client, tracker = mlflow
    (tmp_path / "file").touch()
    client.create_experiment("gallery", artifact_location=(tmp_path / "file" / "artifacts").as_uri())
    run = tracker.start("gallery", "no files", {})
    run.artifact(tmp_path / "file")
    run.metrics({"train/loss": 1.0})
    run.finish()
    assert client.get_run(run.mlflow_id).data.metrics == {"train/loss": 1.0}
    assert "folder of files cannot be written" in caplog.text
    assert list(tracker._journal_dir.rglob("file"))
