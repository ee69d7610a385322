"""Several tunings in one run: what each makes, what is taken from the store, and who answers with what."""

import shutil
from pathlib import Path

import pytest

from blip_core.dataset import read_split
from blip_core.errors import RecipeError
from blip_core.recipes import load_recipe
from blip_core.store import Store
from tests.flows.conftest import stand_in_doubles
from tests.flows.pages import log_of, mlflow_run, sending_logs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

FIRST = '{name = "wide"}'
SECOND = '{name = "narrow", start = "wide", seed = 3, rows = {own = 1, wide = 1}, finetune = {epochs = 2}}'
VARIANTS = (
    'variants=[{name = "flan-t5", role = "base"}, {name = "half-way", role = "base", adapter = "wide"}, '
    '{name = "finetuned", role = "base", adapter = true}]'
)
STAGES = [
    *("scenes wide", "pictures wide", "labels wide", "dataset wide", "finetune wide"),
    *("scenes narrow", "pictures narrow", "labels narrow", "dataset narrow", "mix narrow", "finetune narrow"),
    *("predict flan-t5", "predict half-way", "predict finetuned", "compare"),
]


def phases(first: str = FIRST, second: str = SECOND) -> list[str]:
    return [f"phases=[{first}, {second}]", VARIANTS]


def run_pipeline(*overrides: str):
    from flows.pipeline import pipeline

    return pipeline("gallery-vqa", "pocket", overrides=overrides)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def two_runs(shared_home, doubles, prefect_server):
    """Summaries of a run of two phases that built everything and of one that found everything there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(shared_home))
        stand_in_doubles(patch)
        with sending_logs():
            return run_pipeline(*doubles, *phases()), run_pipeline(*doubles, *phases())


@pytest.fixture
def built(two_runs):
    return two_runs[1]


@pytest.fixture
def run(built, shared_home, doubles, monkeypatch):
    """Run other phases in the module's home."""
    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    return lambda *overrides: run_pipeline(*doubles, *overrides)


def recomputed(summary) -> list[str]:
    return [name for name, stage in summary["stages"].items() if not stage["cached"]]


def artifact(home: Path, kind: str, digest: str):
    return next(one for one in Store(home / "store").artifacts(kind) if one.digest == digest)


def test_each_phase_is_worked_once_and_found_by_the_next_run(two_runs):
    first, second = two_runs
    assert recomputed(first) == STAGES
    assert recomputed(second) == []
    assert first["phases"] == second["phases"]


def test_the_last_phase_is_the_runs_own(built):
    assert list(built["phases"]) == ["wide", "narrow"]
    assert built["dataset"] == built["phases"]["narrow"]["dataset"]
    assert built["adapter"] == built["phases"]["narrow"]["adapter"]
    assert built["phases"]["wide"]["adapter"]["digest"] != built["adapter"]["digest"]


def test_a_phase_learns_as_many_rows_of_each_set_as_its_weights_say(built, shared_home):
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    drawn = {name: one["drawn"]["train"] for name, one in mixed.metadata["mixture"].items()}
    assert drawn["own"] == drawn["wide"] > 0
    rows = read_split(mixed.path, "train")
    assert len({row.id for row in rows}) == len(rows) == sum(drawn.values())
    assert "mixture of wide" in (mixed.path / "README.md").read_text()


def test_an_adapter_names_the_rows_and_the_adapter_that_it_came_from(built, shared_home):
    tuned = artifact(shared_home, "adapter", built["adapter"]["digest"])
    wide = artifact(shared_home, "adapter", built["phases"]["wide"]["adapter"]["digest"])
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    assert tuned.metadata["made_from"] == {"dataset": mixed.key, "start": wide.key}
    assert set(mixed.metadata["made_from"]) == {"own", "wide"}


def test_a_variant_answers_with_the_adapter_of_its_phase(built, shared_home):
    carried = {
        one.metadata["variant"]: one.metadata["adapter"]
        for one in Store(shared_home / "store").artifacts("predictions")
        if "variant" in one.metadata
    }
    assert carried["half-way"] == built["phases"]["wide"]["adapter"]["digest"]
    assert carried["finetuned"] == built["adapter"]["digest"]
    assert carried["flan-t5"] == ""


def test_a_changed_last_phase_leaves_the_first_as_it_is(run):
    changed = run(*phases(second=SECOND.replace("epochs = 2", "epochs = 1")))
    assert recomputed(changed) == ["finetune narrow", "predict finetuned", "compare"]


def test_other_weights_draw_other_rows_and_grow_none(run):
    changed = run(*phases(second=SECOND.replace("wide = 1", "wide = 0.5")))
    assert recomputed(changed) == ["mix narrow", "finetune narrow", "predict finetuned", "compare"]


def test_a_changed_first_phase_reaches_the_one_that_starts_from_it(run):
    changed = run(*phases(first='{name = "wide", finetune = {learning_rate = 0.01}}'))
    assert recomputed(changed) == [
        *("finetune wide", "finetune narrow", "predict half-way", "predict finetuned", "compare")
    ]


def test_phases_with_equal_settings_share_what_they_make(run, built):
    same = run(*phases(second='{name = "narrow"}'))
    assert recomputed(same) == ["predict finetuned", "compare"]
    assert same["adapter"] == built["phases"]["wide"]["adapter"]


def test_mlflow_has_a_run_a_stage_and_the_loss_of_each_phase(built):
    from mlflow import MlflowClient

    client = MlflowClient(built["mlflow"]["tracking_uri"])
    parent = client.get_run(built["mlflow"]["run_id"])
    below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = {one.info.run_name: one for one in client.search_runs([parent.info.experiment_id], below)}
    assert set(children) == set(STAGES)
    for name in ("finetune wide", "finetune narrow"):
        assert client.get_metric_history(children[name].info.run_id, "train/loss")
    assert parent.data.tags["foundry.dataset_digest"] == built["dataset"]["digest"]
    assert [one.dataset.name for one in parent.inputs.dataset_inputs] == [
        "gallery-vqa-wide",
        "gallery-vqa-narrow",
    ]


def test_the_log_on_prefects_page_names_the_phase_of_each_stage(two_runs):
    said = log_of(mlflow_run(two_runs[0])[0].data.tags["prefect.flow_run_id"])
    assert [line[3:].removesuffix(": begins") for line in said if line.endswith(": begins")] == STAGES


def test_prefect_draws_a_subflow_a_phase(built):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    with get_client(sync_client=True) as client:
        names = {one.name for one in client.read_flow_runs(flow_run_filter=FlowRunFilter())}
    assert {"grow-dataset gallery-vqa wide", "tune gallery-vqa wide"} <= names
    assert {"grow-dataset gallery-vqa narrow", "tune gallery-vqa narrow"} <= names


def test_a_plan_names_each_phase_and_works_nothing(home, doubles):
    from flows.cli.dry_run import planned

    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    assert [stage.name for stage in planned(recipe, "run")] == STAGES
    assert [stage.name for stage in planned(recipe, "dataset")] == [
        name for name in STAGES[:10] if name != "finetune wide"
    ]
    assert not list(Store(home / "store").artifacts())


def test_a_comparison_makes_what_its_variants_carry_and_no_more(run, doubles):
    from flows.cli.dry_run import planned
    from flows.variants.choosing import with_variants

    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    names = [stage.name for stage in planned(with_variants(recipe, ["flan-t5", "half-way"]), "scores")]
    assert not any(name.endswith("narrow") for name in names)
    assert names[-3:] == ["predict flan-t5", "predict half-way", "compare"]


def test_a_phase_by_its_name_answers_questions(built, shared_home, doubles, monkeypatch):
    from flows.predict import own_adapter
    from flows.variants.choosing import choose_variant

    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    assert recipe.phase_of(choose_variant(recipe, "wide")) == "wide"
    assert own_adapter(recipe, "wide").digest == built["phases"]["wide"]["adapter"]["digest"]
    other = load_recipe("gallery-vqa", "pocket", [*doubles, *phases(), "seed=99"])
    newest = artifact(shared_home, "adapter", own_adapter(other, "wide").digest)
    assert newest.metadata["phase"] == "wide"


def test_a_row_is_traced_to_the_set_that_it_was_drawn_from(built, shared_home, monkeypatch):
    from flows.cli.tracing import find_trace

    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    for row in read_split(mixed.path, "train"):
        steps = {step.stage: step for step in find_trace(row.id, mixed.digest).steps}
        assert steps["picture"].png == row.image
        assert steps["scene"].facts["prompt"]


def test_a_set_with_nothing_of_its_own_is_told_in_words(home, doubles):
    from blip_core.errors import EmptyDataset

    same = SECOND.replace("seed = 3, ", "")
    with pytest.raises(EmptyDataset, match="the set wide has no row to learn that the other sets"):
        run_pipeline(*doubles, *phases(second=same))


def test_phases_that_cannot_be_are_refused_before_any_work(home, doubles):
    wider = SECOND.replace("finetune = {epochs = 2}", "finetune = {adapter = {r = 8}}")
    with pytest.raises(RecipeError, match=r"phase narrow starts from wide, whose adapter does not fit"):
        run_pipeline(*doubles, *phases(second=wider))
    assert not (home / "store").exists() or not list(Store(home / "store").artifacts())


def test_a_killed_second_phase_goes_on_from_the_finished_first(run, built, shared_home):
    shutil.rmtree(artifact(shared_home, "adapter", built["adapter"]["digest"]).path)
    again = run(*phases())
    assert recomputed(again) == ["finetune narrow"]
    assert again["adapter"] == built["adapter"]
