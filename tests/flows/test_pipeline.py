"""The whole flow: what runs, what is taken from the store, and what it leaves behind."""

import shutil
from pathlib import Path

import pytest

from blip_core.errors import RecipeError, StageFailure
from blip_core.store import Store
from tests.flows.conftest import stand_in_doubles
from tests.flows.pages import artifacts_of, log_of, mlflow_run, newest_run, sending_logs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

STAGES = [
    "scenes",
    "pictures",
    "labels",
    "dataset",
    "finetune",
    "predict baseline",
    "predict flan-t5",
    "predict finetuned",
    "compare",
]


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(shared_home, doubles, monkeypatch):
    """Run the pipeline in the module's home."""
    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    return lambda *overrides: run_pipeline(*doubles, *overrides)


def run_pipeline(*overrides: str):
    from flows.pipeline import pipeline

    return pipeline("gallery-vqa", "pocket", overrides=overrides)


@pytest.fixture(scope="module")
def two_runs(shared_home, doubles, prefect_server):
    """Summaries of a run that built everything and of one that found everything there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(shared_home))
        stand_in_doubles(patch)
        with sending_logs():
            return run_pipeline(*doubles), run_pipeline(*doubles)


@pytest.fixture
def built(two_runs):
    return two_runs[1]


def recomputed(summary) -> list[str]:
    return [name for name, stage in summary["stages"].items() if not stage["cached"]]


def test_a_second_run_recomputes_nothing_and_finds_the_same(two_runs):
    first, second = two_runs
    assert recomputed(first) == STAGES
    assert recomputed(second) == []
    for part in ("dataset", "variants", "comparisons", "adapter"):
        assert first[part] == second[part]


def test_the_summary_names_every_variant_and_what_lies_where(built):
    assert list(built["variants"]) == ["baseline", "flan-t5", "finetuned"]
    assert all(variant["n"] == 8 for variant in built["variants"].values())
    assert sum(built["dataset"]["rows"].values()) > 0
    assert (Path(built["dataset"]["path"]) / "README.md").exists()
    assert (Path(built["adapter"]["path"]) / "adapter_model.safetensors").exists()


def test_the_report_and_its_figures_lie_together(built):
    report = Path(built["report"])
    page = report.read_text()
    assert "finetuned" in page
    assert "All 8 rows." in page
    beside = {path.name for path in report.parent.iterdir()}
    assert {"pictures.png", "loss.svg", "scores.json", "adapter-card.md"} <= beside
    assert {"ladder.svg", "differences.svg", "reliability.svg"} <= beside


def test_a_changed_finetune_field_reruns_finetuning_and_what_is_behind(built, run):
    changed = run("finetune.learning_rate=0.01")
    assert recomputed(changed) == ["finetune", "predict finetuned", "compare"]
    assert changed["adapter"]["digest"] != built["adapter"]["digest"]


def test_a_deleted_artefact_is_made_again_and_nothing_else(built, run):
    shutil.rmtree(built["dataset"]["path"])
    again = run()
    assert recomputed(again) == ["dataset"]
    assert again["dataset"] == built["dataset"]


def test_a_damaged_artefact_is_made_again(built, run):
    weights = Path(built["adapter"]["path"]) / "adapter_model.safetensors"
    weights.write_bytes(b"\0" + weights.read_bytes()[1:])
    again = run()
    assert recomputed(again) == ["finetune"]
    assert again["adapter"] == built["adapter"]


def test_what_prefect_keeps_is_json(built):
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

    kept = list(PREFECT_LOCAL_STORAGE_PATH.value().iterdir())
    assert kept
    assert all(path.read_bytes().startswith(b"{") and b'"pickle"' not in path.read_bytes() for path in kept)


def test_mlflow_holds_a_parent_with_a_child_a_stage_and_the_loss_by_step(built):
    from mlflow import MlflowClient

    client = MlflowClient(built["mlflow"]["tracking_uri"])
    parent = client.get_run(built["mlflow"]["run_id"])
    below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = {run.info.run_name: run for run in client.search_runs([parent.info.experiment_id], below)}
    assert set(children) == set(STAGES)
    losses = client.get_metric_history(children["finetune"].info.run_id, "train/loss")
    assert [loss.step for loss in losses] == list(range(1, len(losses) + 1))
    for name, variant in built["variants"].items():
        assert children[f"predict {name}"].data.metrics["eval/accuracy"] == variant["accuracy"]
    assert parent.data.tags["prefect.flow_run_id"]
    assert parent.data.tags["foundry.dataset_digest"] == built["dataset"]["digest"]
    assert all(run.info.status == "FINISHED" for run in [parent, *children.values()])


def test_the_log_on_prefects_page_holds_a_line_a_stage_and_an_epoch_and_where_all_lies(two_runs):
    first, second = (log_of(mlflow_run(run)[0].data.tags["prefect.flow_run_id"]) for run in two_runs)
    said = "\n".join(first)
    for stage in STAGES:
        assert f"20 {stage}: begins" in first
        assert any(line.startswith(f"20 {stage}: ") and line.endswith(" s)") for line in first)
        assert any(line.startswith(f"20 {stage}: ") and line.endswith("(cached)") for line in second)
    assert "12 scenes of 12 asked" in said
    assert "20 finetune: epoch 1 of 1: loss " in said
    assert "20 verdict: Only 8 rows were judged" in said
    assert f"20 dataset: {two_runs[0]['dataset']['path']}" in said
    assert f"20 adapter: {two_runs[0]['adapter']['path']}" in said
    assert f"20 report: {two_runs[0]['report']}" in said
    assert "20 MLflow: http://127.0.0.1:5000/#/experiments/" in said


def test_prefects_page_shows_the_ladder_with_every_comparison_and_the_way_to_mlflow(built):
    parent, _ = mlflow_run(built)
    shown = artifacts_of(parent.data.tags["prefect.flow_run_id"])
    kind, text = shown["results"]
    assert kind == "markdown"
    for comparison in built["comparisons"]:
        assert f"| {comparison['b']} | {comparison['a']} | {100 * comparison['difference']:+.1f} (" in text
    assert f"get-artifact?path=ladder.svg&run_uuid={parent.info.run_id}" in text
    assert parent.info.run_id in shown["mlflow-run"][1]


def test_mlflows_note_says_what_was_found_and_leads_to_the_log(built):
    parent, children = mlflow_run(built)
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("Only 8 rows were judged")
    for name, variant in built["variants"].items():
        assert f"| {name} (n 8) | {100 * variant['accuracy']:.1f} % (" in note
    assert f"/runs/flow-run/{parent.data.tags['prefect.flow_run_id']})" in note
    assert "cached" in children["scenes"].data.tags["mlflow.note.content"]


def test_mlflow_compares_variants_and_runs_by_accuracy_first(two_runs):
    for run in two_runs:
        parent, children = mlflow_run(run)
        variants = [children[f"predict {name}"] for name in run["variants"]]
        for one in [parent, *variants]:  # its page takes the first metric of the first run
            assert next(iter(one.data.metrics)) == "eval/accuracy"
        assert parent.data.metrics["eval/gain"] == variants[-1].data.metrics["eval/gain"]
        assert "stage/seconds" in variants[0].data.metrics


def test_mlflow_shows_how_the_adapter_learnt_in_the_run_that_tuned_it_and_in_later_ones(two_runs):
    from mlflow import MlflowClient

    for number, run in enumerate(two_runs):
        client = MlflowClient(run["mlflow"]["tracking_uri"])
        parent = client.get_run(run["mlflow"]["run_id"])
        below = f"tags.mlflow.parentRunId = '{parent.info.run_id}' and attributes.run_name = 'finetune'"
        (tuning,) = client.search_runs([parent.info.experiment_id], below)
        shown = {"train/learning_rate", "train/grad_norm", "eval/loss", "train/rows_per_second"}
        assert shown <= tuning.data.metrics.keys()
        assert ("system/cpu_utilization_percentage" in tuning.data.metrics) == (number == 0)
        files = {file.path for file in client.list_artifacts(tuning.info.run_id)}
        assert {"curve.csv", "loss.svg", "samples.json", "manifest.json"} <= files
        assert '"samples.json"' in tuning.data.tags["mlflow.loggedArtifacts"]
        assert run["adapter"]["training"]["steps"] > 0


def test_the_adapter_is_registered_once(built):
    from mlflow import MlflowClient

    client = MlflowClient(built["mlflow"]["tracking_uri"])
    versions = client.search_model_versions("name = 'gallery-vqa-adapter'")
    digests = [version.tags.get("foundry.digest", version.version) for version in versions]
    assert versions
    assert len(digests) == len(set(digests))


def test_the_champion_needs_more_rows_than_these_and_the_run_says_so(built):
    from mlflow import MlflowClient

    assert not built["champion"]["won"]
    assert built["champion"]["reasons"][0] == (
        "finetuned against flan-t5: 8 rows were judged, champion.min_rows asks for 100."
    )
    tags = MlflowClient(built["mlflow"]["tracking_uri"]).get_run(built["mlflow"]["run_id"]).data.tags
    assert tags["foundry.champion"] == "not won"
    assert "champion.min_rows" in tags["foundry.champion_reasons"]


def test_a_stage_that_fails_keeps_what_was_finished(home, doubles, monkeypatch):
    from blip_core.backends.scripted import ScriptedLabeller
    from flows.pipeline import pipeline

    monkeypatch.setattr("tasks.label_pictures.build_labeller", lambda recipe: ScriptedLabeller([]))
    with sending_logs(), pytest.raises(StageFailure, match="ran out"):
        pipeline("gallery-vqa", "pocket", overrides=doubles)
    log = log_of(newest_run())
    kinds = {artifact.kind for artifact in Store(home / "store").artifacts()}
    assert kinds == {"scenes-shard", "scenes", "pictures-shard", "pictures"}
    assert any(line.startswith("40 labels: failed after") for line in log)
    assert any(line.startswith("40 The run failed: ") and "ran out" in line for line in log)
    assert not any("Traceback" in line for line in log)
    kind, text = artifacts_of(newest_run())["failure"]
    assert kind == "markdown"
    assert "ran out" in text


def test_a_form_that_names_no_recipe_says_so_on_the_page(home):
    from flows.pipeline import pipeline

    with sending_logs(), pytest.raises(RecipeError):
        pipeline("gallery-vqa", "pocket", overrides=["scenes.count=-1"])
    assert any("The run failed: " in line and "scenes.count" in line for line in log_of(newest_run()))
    assert "scenes.count" in artifacts_of(newest_run())["failure"][1]
