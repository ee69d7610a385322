"""Several tunings in one run, of two kinds of rows: what each makes, what lies there already, who answers."""

import shutil
from pathlib import Path

import pytest

from blip_core.dataset import read_split
from blip_core.recipes import load_recipe
from blip_core.store import Store
from tests.flows.conftest import stand_in_doubles
from tests.flows.pages import log_of, mlflow_run, sending_logs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]

FIRST = (
    '{name = "captions", task = "caption", stages = 1, seed = 3, dataset = {test_share = 0.4}, '
    "finetune = {describe_share = 0.0, own_description_share = 0.0}, "
    'inference = {answer_prompt = "a photo of", circular = false, ablations = []}, '
    'evaluation = {kind = "split"}}'
)
SECOND = '{name = "questions", start = "captions", rows = {own = 1, captions = 1}, finetune = {epochs = 2}}'
VARIANTS = (
    'variants=[{name = "flan-t5", role = "base"}, {name = "half-way", role = "base", adapter = "captions"}, '
    '{name = "finetuned", role = "base", adapter = true}]'
)
FINDINGS = (
    'findings=[{name = "captions-improve", set = "captions", measure = "rouge-l-f", a = "flan-t5", '
    'b = "half-way"}, {name = "questions-improve", a = "flan-t5", b = "finetuned"}]'
)
STAGES = [
    *("scenes captions", "pictures captions", "labels captions", "dataset captions", "finetune captions"),
    *("scenes questions", "pictures questions", "labels questions", "dataset questions", "mix questions"),
    *("finetune questions", "predict flan-t5", "predict half-way", "predict finetuned"),
    *("predict flan-t5 captions", "predict half-way captions", "compare"),
]


def phases(first: str = FIRST, second: str = SECOND) -> list[str]:
    return [f"phases=[{first}, {second}]", VARIANTS, FINDINGS]


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
def worked(built, shared_home, doubles, monkeypatch):
    """What a run of other phases would work in the module's home."""
    from flows.cli.dry_run import planned

    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))

    def stages(*overrides: str) -> list[str]:
        recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *overrides])
        return [stage.name for stage in planned(recipe, "run") if not stage.cached]

    return stages


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
    assert list(built["phases"]) == ["captions", "questions"]
    assert built["dataset"] == built["phases"]["questions"]["dataset"]
    assert built["adapter"] == built["phases"]["questions"]["adapter"]
    assert built["phases"]["captions"]["adapter"]["digest"] != built["adapter"]["digest"]


def test_a_phase_learns_as_many_rows_of_each_set_as_its_weights_say(built, shared_home):
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    drawn = {name: one["drawn"]["train"] for name, one in mixed.metadata["mixture"].items()}
    assert drawn["own"] == drawn["captions"] > 0
    rows = read_split(mixed.path, "train")
    assert len({row.id for row in rows}) == len(rows) == sum(drawn.values())
    assert "mixture of captions" in (mixed.path / "README.md").read_text()


def test_an_adapter_names_the_rows_and_the_adapter_that_it_came_from(built, shared_home):
    tuned = artifact(shared_home, "adapter", built["adapter"]["digest"])
    captions = artifact(shared_home, "adapter", built["phases"]["captions"]["adapter"]["digest"])
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    assert tuned.metadata["made_from"] == {"dataset": mixed.key, "start": captions.key}
    assert set(mixed.metadata["made_from"]) == {"own", "captions"}


def test_a_variant_answers_with_the_adapter_of_its_phase(built, shared_home):
    carried = {
        one.metadata["variant"]: one.metadata["adapter"]
        for one in Store(shared_home / "store").artifacts("predictions")
        if "variant" in one.metadata
    }
    assert carried["half-way"] == built["phases"]["captions"]["adapter"]["digest"]
    assert carried["finetuned"] == built["adapter"]["digest"]
    assert carried["flan-t5"] == ""


def test_a_changed_last_phase_leaves_the_first_as_it_is(worked):
    changed = worked(*phases(second=SECOND.replace("epochs = 2", "epochs = 1")))
    assert changed == ["finetune questions", "predict finetuned", "compare"]


def test_other_weights_draw_other_rows_and_grow_none(worked):
    changed = worked(*phases(second=SECOND.replace("captions = 1", "captions = 0.5")))
    assert changed == ["mix questions", "finetune questions", "predict finetuned", "compare"]


def test_a_changed_first_phase_reaches_the_one_that_starts_from_it(worked):
    changed = worked(
        *phases(first=FIRST.replace("describe_share", "learning_rate = 0.01, describe_share", 1))
    )
    tuned = ("finetune captions", "finetune questions", "predict half-way", "predict finetuned")
    assert changed == [*tuned, "predict half-way captions", "compare"]


def test_a_phase_of_equal_settings_takes_what_is_there(worked):
    same = worked(*phases(second='{name = "questions"}'))
    assert same == ["finetune questions", "predict finetuned", "compare"]


def test_each_phase_is_judged_on_rows_of_its_own_kind(built):
    found = {one["name"]: one for one in built["findings"]}
    assert found["captions-improve"]["set"] == "captions"
    assert found["questions-improve"]["set"] == "bundled"
    assert min(one["n"] for one in found.values()) > 0


def test_captions_and_questions_are_learnt_in_one_tuning(built, shared_home):
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    assert {row.task for row in read_split(mixed.path, "train")} == {"caption", "mcq"}


def test_mlflow_has_a_run_a_stage_and_the_loss_of_each_phase(built):
    from mlflow import MlflowClient

    client = MlflowClient(built["mlflow"]["tracking_uri"])
    parent = client.get_run(built["mlflow"]["run_id"])
    below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = {one.info.run_name: one for one in client.search_runs([parent.info.experiment_id], below)}
    assert set(children) == set(STAGES)
    for name in ("finetune captions", "finetune questions"):
        assert client.get_metric_history(children[name].info.run_id, "train/loss")
    assert parent.data.tags["foundry.dataset_digest"] == built["dataset"]["digest"]
    assert [one.dataset.name for one in parent.inputs.dataset_inputs] == [
        "gallery-vqa-captions",
        "gallery-vqa-questions",
    ]


def test_the_log_on_prefects_page_names_the_phase_of_each_stage(two_runs):
    said = log_of(mlflow_run(two_runs[0])[0].data.tags["prefect.flow_run_id"])
    assert [line[3:].removesuffix(": begins") for line in said if line.endswith(": begins")] == STAGES


def test_prefect_draws_a_subflow_a_phase(built):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    with get_client(sync_client=True) as client:
        names = {one.name for one in client.read_flow_runs(flow_run_filter=FlowRunFilter())}
    assert {"grow-dataset gallery-vqa captions", "tune gallery-vqa captions"} <= names
    assert {"grow-dataset gallery-vqa questions", "tune gallery-vqa questions"} <= names


def test_a_plan_names_each_phase_and_works_nothing(home, doubles):
    from flows.cli.dry_run import planned

    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    assert [stage.name for stage in planned(recipe, "run")] == STAGES
    assert [stage.name for stage in planned(recipe, "dataset")] == [
        name for name in STAGES[:10] if name != "finetune captions"
    ]
    assert not list(Store(home / "store").artifacts())


def test_a_comparison_makes_what_its_variants_carry_and_no_more(worked, doubles):
    from flows.cli.dry_run import planned
    from flows.variants.choosing import with_variants

    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    chosen = with_variants(recipe, ["flan-t5", "half-way"])
    names = [stage.name for stage in planned(chosen, "scores")]
    assert not any(name.endswith("questions") for name in names)
    assert names[-5:] == [
        *("predict flan-t5", "predict half-way"),
        *("predict flan-t5 captions", "predict half-way captions", "compare"),
    ]


def test_a_phase_by_its_name_answers_questions(built, shared_home, doubles, monkeypatch):
    from flows.predict import own_adapter
    from flows.variants.choosing import choose_variant

    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    recipe = load_recipe("gallery-vqa", "pocket", [*doubles, *phases()])
    assert recipe.phase_of(choose_variant(recipe, "captions")) == "captions"
    assert own_adapter(recipe, "captions").digest == built["phases"]["captions"]["adapter"]["digest"]
    other = load_recipe("gallery-vqa", "pocket", [*doubles, *phases(), "seed=99"])
    newest = artifact(shared_home, "adapter", own_adapter(other, "captions").digest)
    assert newest.metadata["phase"] == "captions"


def test_a_row_is_traced_to_the_set_that_it_was_drawn_from(built, shared_home, monkeypatch):
    from flows.cli.tracing import find_trace

    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    mixed = artifact(shared_home, "dataset", built["dataset"]["digest"])
    for row in read_split(mixed.path, "train"):
        steps = {step.stage: step for step in find_trace(row.id, mixed.digest).steps}
        assert steps["picture"].png == row.image
        assert steps["scene"].facts["prompt"]


def test_a_killed_second_phase_goes_on_from_the_finished_first(built, shared_home, doubles, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))
    shutil.rmtree(artifact(shared_home, "adapter", built["adapter"]["digest"]).path)
    again = run_pipeline(*doubles, *phases())
    assert recomputed(again) == ["finetune questions"]
    assert again["adapter"] == built["adapter"]
