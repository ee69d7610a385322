import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blip_core.ports import Run
from blip_core.tracking import JournalTracker, MlflowTracker, NullTracker, link_tags, replay


def test_a_run_and_its_child_arrive_with_all_they_recorded(tracker, client, tmp_path):
    links = link_tags(
        flow_run_id="f1", flow_run_url="http://here/f1", git_commit="abc", dataset_digest="d" * 64
    )
    run = tracker.start("gallery", "evening run", links)
    run.params({"seed": 3, "profile": "pocket"})
    child = run.child("finetuned")
    child.metrics({"train/loss": 2.0}, step=1)
    child.metrics({"train/loss": 1.0}, step=2)
    child.finish()
    run.finish()

    stored, stored_child = client.get_run(run.mlflow_id), client.get_run(child.mlflow_id)
    assert stored.data.params == {"seed": "3", "profile": "pocket"}
    assert links.items() <= stored.data.tags.items()
    assert stored.info.status == "FINISHED"
    assert stored_child.data.tags["mlflow.parentRunId"] == run.mlflow_id
    history = client.get_metric_history(child.mlflow_id, "train/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]


def test_files_tables_and_datasets_arrive(tracker, client, tmp_path):
    figure = tmp_path / "ladder.svg"
    figure.write_text("<svg/>")
    run = tracker.start("gallery", "files", {})
    run.artifact(figure, "figures")
    run.table([{"id": "x", "ranked": "A"}, {"id": "y", "ranked": "B"}], "predictions/finetuned.json")
    run.dataset("gallery", "e" * 64, tmp_path, rows=200)
    run.finish()

    stored = client.get_run(run.mlflow_id)
    local = client.download_artifacts(run.mlflow_id, "predictions/finetuned.json", str(tmp_path))
    table = json.loads(Path(local).read_text())
    (dataset,) = stored.inputs.dataset_inputs
    assert [file.path for file in client.list_artifacts(run.mlflow_id, "figures")] == ["figures/ladder.svg"]
    assert table["data"] == [["x", "A"], ["y", "B"]]
    assert dataset.dataset.digest == "e" * 36
    assert {tag.key: tag.value for tag in dataset.tags}["foundry.digest"] == "e" * 64
    assert json.loads(dataset.dataset.profile)["num_rows"] == 200


def test_delivered_copies_leave_the_journal(tracker, tmp_path):
    figure = tmp_path / "curve.svg"
    figure.write_text("<svg/>")
    run = tracker.start("gallery", "copies", {})
    run.artifact(figure)
    run.finish()
    assert not list((tmp_path / "journal").rglob("*.svg"))


def test_an_adapter_is_a_version_once_and_champion_only_when_told(tracker, client, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    run = tracker.start("gallery", "adapters", {})
    first = run.adapter(folder, "gallery-adapter", {"eval/accuracy": 0.7})
    again = run.adapter(folder, "gallery-adapter", {"eval/accuracy": 0.7})
    assert (first, again) == ("1", "1")
    assert _aliases(client, "gallery-adapter") == {"candidate": "1"}

    (folder / "adapter_model.safetensors").write_bytes(b"better weights")
    second = run.adapter(folder, "gallery-adapter", {"eval/accuracy": 0.8}, champion=True)
    run.finish()
    assert _aliases(client, "gallery-adapter") == {"candidate": "2", "champion": "2"}
    version = client.get_model_version_by_alias("gallery-adapter", "champion")
    assert str(version.version) == second
    assert version.run_id == run.mlflow_id


def test_an_adapter_is_downloaded_by_its_alias(tracker, uri, tmp_path):
    import mlflow

    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    run = tracker.start("gallery", "download", {})
    run.adapter(folder, "downloaded-adapter", {})
    run.finish()
    mlflow.set_tracking_uri(uri)
    local = mlflow.artifacts.download_artifacts("models:/downloaded-adapter@candidate")
    assert (Path(local) / "adapter_config.json").read_text() == "{}"


def test_threads_write_to_their_own_runs(tracker, client):
    run = tracker.start("gallery", "threads", {})
    children = [run.child(f"variant-{number}") for number in range(4)]

    def work(number):
        for step in range(20):
            children[number].metrics({"eval/accuracy": number}, step=step)
        children[number].finish()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    run.finish()
    values = [
        {metric.value for metric in client.get_metric_history(child.mlflow_id, "eval/accuracy")}
        for child in children
    ]
    assert values == [{0.0}, {1.0}, {2.0}, {3.0}]
    assert all(client.get_run(child.mlflow_id).info.status == "FINISHED" for child in children)


def test_what_mlflow_refuses_does_not_hold_up_the_rest(tracker, client):
    run = tracker.start("gallery", "refused", {})
    run.params({"seed": 1})
    run.params({"seed": 2})
    run.metrics({"eval/accuracy": 0.5})
    run.finish()
    stored = client.get_run(run.mlflow_id)
    assert stored.data.params == {"seed": "1"}
    assert stored.data.metrics == {"eval/accuracy": 0.5}
    assert stored.info.status == "FINISHED"


def test_more_params_than_one_request_takes(tracker, client):
    run = tracker.start("gallery", "many", {})
    run.params({f"field-{number}": number for number in range(230)})
    run.finish()
    assert len(client.get_run(run.mlflow_id).data.params) == 230


def test_a_run_without_mlflow_can_be_sent_later(uri, home, client, tmp_path):
    figure = tmp_path / "sheet.png"
    figure.write_bytes(b"sheet")
    run = JournalTracker(tmp_path / "journal").start("gallery", "journal only", {})
    run.child("finetuned").finish()
    run.metrics({"eval/accuracy": 0.25})
    run.artifact(figure)
    run.finish()
    figure.unlink()

    done = replay(tmp_path / "journal", uri)
    again = replay(tmp_path / "journal", uri)
    experiment = client.get_experiment_by_name("gallery").experiment_id
    (stored,) = client.search_runs([experiment], f"tags.`foundry.run` = '{run.id}'")
    assert (done.runs, done.left, again.entries) == (2, 0, 0)
    assert stored.data.metrics == {"eval/accuracy": 0.25}
    assert [file.path for file in client.list_artifacts(stored.info.run_id)] == ["sheet.png"]


def test_a_run_whose_process_died_is_closed_as_killed(uri, client, tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from blip_core.tracking import JournalTracker;"
        "run = JournalTracker(Path(sys.argv[1])).start('gallery', 'dies', {});"
        "run.metrics({'train/loss': 1.0}, step=1); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "journal")], check=False)
    replay(tmp_path / "journal", uri)
    experiment = client.get_experiment_by_name("gallery").experiment_id
    (stored,) = client.search_runs([experiment], "attributes.run_name = 'dies'")
    assert stored.info.status == "KILLED"
    assert stored.data.metrics == {"train/loss": 1.0}


def test_a_living_run_is_left_to_its_process(tmp_path, uri):
    run = JournalTracker(tmp_path / "journal").start("gallery", "lives", {})
    assert replay(tmp_path / "journal", uri).entries == 0
    run.finish()


def test_the_null_tracker_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run: Run = NullTracker().start("gallery", "nothing", {})
    run.child("finetuned").metrics({"eval/accuracy": 1.0})
    run.finish()
    assert not list(tmp_path.iterdir())


def test_importing_tracking_loads_no_mlflow():
    code = "import sys, blip_core.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _aliases(client, name):
    return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}


def test_a_tracker_whose_server_is_away_neither_fails_nor_forgets(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = MlflowTracker("http://127.0.0.1:9", tmp_path / "journal")  # nobody serves that port
    run = tracker.start("gallery", "alone", {})
    run.metrics({"eval/accuracy": 0.5})
    run.finish()
    left = tracker.catch_up().left
    assert (run.mlflow_id, run.page("http://127.0.0.1:5000"), left) == ("", "", 3)
