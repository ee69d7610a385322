"""The flows one by one: each runs alone, and together they make what the pipeline makes."""

import shutil
from pathlib import Path

import pytest

from blip_core.errors import UnknownArtifact
from tests.flows.conftest import stand_in_doubles

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server", "use_doubles"),
    pytest.mark.filterwarnings("default"),  # Prefect's and MLflow's own servers warn
]


@pytest.fixture(scope="module")
def steps_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.fixture(scope="module")
def one_by_one(steps_home, tmp_path_factory, doubles, prefect_server):
    """Summaries of dataset, finetune and compare, and of the pipeline in another home."""
    from flows.compare_variants import compare_variants
    from flows.finetune import finetune
    from flows.pipeline import pipeline
    from flows.regenerate_dataset import regenerate_dataset

    with pytest.MonkeyPatch.context() as patch:
        stand_in_doubles(patch)
        patch.setenv("FOUNDRY_HOME", str(tmp_path_factory.mktemp("whole")))
        whole = pipeline(overrides=doubles)
        patch.setenv("FOUNDRY_HOME", str(steps_home))
        steps = [flow(overrides=doubles) for flow in (regenerate_dataset, finetune, compare_variants)]
    return *steps, whole


@pytest.fixture
def in_steps(one_by_one, steps_home, monkeypatch) -> None:
    """The home of the steps, in which the recipe's own stages are worked."""
    monkeypatch.setenv("FOUNDRY_HOME", str(steps_home))


@pytest.fixture(scope="module")
def of_another_dataset(one_by_one, steps_home, doubles):
    """Summaries of a dataset of another seed, and of an adapter that was tuned on it by its name."""
    from flows.finetune import finetune
    from flows.regenerate_dataset import regenerate_dataset

    with pytest.MonkeyPatch.context() as patch:
        stand_in_doubles(patch)
        patch.setenv("FOUNDRY_HOME", str(steps_home))
        grown = regenerate_dataset(seed=7, overrides=doubles)
        return grown, finetune(dataset=grown["dataset"]["digest"][:12], overrides=doubles)


def without_paths(part):
    return {name: value for name, value in part.items() if name != "path"}


def test_stages_run_one_by_one_make_what_the_pipeline_makes(one_by_one):
    dataset, adapter, scores, whole = one_by_one
    assert without_paths(dataset["dataset"]) == without_paths(whole["dataset"])
    assert without_paths(adapter["adapter"]) == without_paths(whole["adapter"])
    assert scores["variants"] == whole["variants"]
    assert scores["comparisons"] == whole["comparisons"]


def test_each_stage_takes_what_the_one_before_it_made(one_by_one):
    dataset, adapter, scores, _ = one_by_one
    made = [{name for name, one in run["stages"].items() if not one["cached"]} for run in one_by_one[:3]]
    assert made[0] == {"scenes", "pictures", "labels", "dataset"} == set(dataset["stages"])
    assert made[1] == {"finetune"}
    assert made[2] == set(scores["stages"]) - set(adapter["stages"])


def test_a_run_says_nothing_of_what_it_did_not_make(one_by_one):
    dataset, adapter, _, _ = one_by_one
    assert dataset["adapter"] is None
    assert (dataset["variants"], dataset["comparisons"], dataset["report"]) == ({}, [], "")
    assert adapter["variants"] == {}


@pytest.mark.usefixtures("in_steps")
def test_another_dataset_is_named_by_the_beginning_of_its_digest(one_by_one, of_another_dataset, doubles):
    from flows.finetune import finetune

    grown, tuned = of_another_dataset
    assert grown["dataset"]["digest"] != one_by_one[0]["dataset"]["digest"]
    assert tuned["dataset"]["digest"] == grown["dataset"]["digest"]
    with pytest.raises(UnknownArtifact, match=grown["dataset"]["digest"][:12]):
        finetune(dataset="0" * 12, overrides=doubles)


def test_a_plan_tells_what_is_there_and_works_nothing(one_by_one, steps_home, home, doubles):
    from blip_core.recipes import load_recipe
    from blip_core.store import Store
    from flows.cli.dry_run import planned

    recipe = load_recipe("gallery-vqa", "pocket", doubles)
    assert not any(stage.cached for stage in planned(recipe, "scores"))
    shutil.copytree(steps_home / "store", home / "store", dirs_exist_ok=True)
    for one in Store(home / "store").artifacts():
        if one.kind in ("dataset", "adapter"):
            shutil.rmtree(one.path)
    state = {stage.name: stage.cached for stage in planned(recipe, "adapter")}
    assert state == {"scenes": True, "pictures": True, "labels": True, "dataset": False, "finetune": False}
    assert {one.kind for one in Store(home / "store").artifacts()}.isdisjoint({"dataset", "adapter"})


def test_a_comparison_without_an_adapter_of_its_own_plans_no_dataset(home, doubles):
    from blip_core.recipes import load_recipe
    from flows.cli.dry_run import planned
    from flows.variants.choosing import with_variants

    whole = load_recipe("gallery-vqa", "pocket", doubles)
    untuned = with_variants(whole, ["baseline", "flan-t5"])
    names = ["predict baseline", "predict flan-t5", "compare"]
    assert [stage.name for stage in planned(untuned, "scores")] == names
    assert [stage.name for stage in planned(whole, "scores")][:2] == ["scenes", "pictures"]


@pytest.mark.usefixtures("in_steps")
def test_an_adapter_that_is_named_brings_the_dataset_it_was_tuned_on(of_another_dataset, doubles):
    from blip_core.recipes import load_recipe
    from flows.cli.dry_run import planned
    from flows.compare_variants import compare_variants

    _, tuned = of_another_dataset
    adapter = tuned["adapter"]["digest"]
    recipe = load_recipe("gallery-vqa", "pocket", doubles)
    assert planned(recipe, "scores", adapter=adapter)[0].name == "predict baseline"
    compared = compare_variants(adapter=adapter, overrides=doubles)
    assert compared["dataset"]["digest"] == tuned["dataset"]["digest"]
    assert compared["adapter"]["digest"] == adapter
    assert "scenes" not in compared["stages"]
