"""Keys: a stage is worked again when what decides its result changes, and only then."""

import json

import pytest
from prefect.serializers import JSONSerializer

from blip_core.recipes import load_recipe
from blip_core.store import ArtifactRef
from tasks import (
    build_dataset,
    compare,
    label_pictures,
    mix_rows,
    paint_pictures,
    predict_variant,
    tune_adapter,
    write_scenes,
)

UPSTREAM = ArtifactRef(key="key", digest="one", rows=1)
OTHER = ArtifactRef(key="key", digest="two", rows=1)


@pytest.fixture(autouse=True)
def models(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    for name in ("writer", "painter", "llava", "blip2-opt", "blip2-t5"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(f'{{"name": "{name}"}}')
    monkeypatch.setattr("blip_core.wiring.checkpoints.models_dir", lambda: tmp_path / "models")
    return tmp_path / "models"


def keys(*overrides: str, upstream: ArtifactRef = UPSTREAM) -> dict[str, str]:
    recipe = load_recipe("gallery-vqa", "pocket", overrides)
    baseline, _, tuned = recipe.variants
    return {
        "scenes": write_scenes.key(recipe),
        "pictures": paint_pictures.key(recipe, upstream),
        "labels": label_pictures.key(recipe, upstream),
        "dataset": build_dataset.key(recipe, upstream, upstream),
        "finetune": tune_adapter.key(recipe, upstream),
        "baseline": predict_variant.key(recipe, baseline, upstream, None),
        "finetuned": predict_variant.key(recipe, tuned, upstream, upstream),
        "compare": compare.key(recipe, [upstream]),
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, key in before.items() if after[name] != key}


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("scenes.temperature=0.5", {"scenes"}),
        ("pictures.steps=7", {"pictures"}),
        ("labels.batch_size=3", {"labels"}),
        ("curation.letter_balance.max_share=0.5", {"dataset"}),
        ("dataset.train_rows=5", {"dataset"}),
        ("dataset.train_rows=0", set()),
        ("finetune.learning_rate=0.01", {"finetune"}),
        ("inference.batch_size=3", {"baseline", "finetuned"}),
        ("evaluation.limit=5", {"baseline", "finetuned"}),
        ("tracking.experiment=other", set()),
        ("device.threads=3", {"scenes", "pictures", "labels", "finetune", "baseline", "finetuned"}),
        ("seed=1", {"scenes", "pictures", "labels", "finetune", "compare"}),
    ],
)
def test_a_field_changes_the_keys_of_its_own_stages(override, stages):
    assert changed(keys(), keys(override)) == stages


def test_which_training_rows_are_left_is_drawn_by_the_seed():
    cut = "dataset.train_rows=5"
    assert "dataset" in changed(keys(cut), keys(cut, "seed=1"))


@pytest.mark.parametrize("threads", [1, 3, 64])
def test_on_a_gpu_the_threads_of_the_cpu_compute_nothing_that_is_kept(threads):
    on_gpu = "device.kind=cuda"
    assert changed(keys(on_gpu), keys(on_gpu, f"device.threads={threads}")) == set()


def test_other_input_changes_every_key_behind_it():
    assert changed(keys(), keys(upstream=OTHER)) == set(keys()) - {"scenes", "baseline"}


def test_other_weights_change_the_key_of_the_stage_that_loads_them(models):
    before = keys()
    (models / "llava" / "config.json").write_text("{}")
    assert changed(before, keys()) == {"labels"}


def test_a_phase_is_known_by_what_it_says_and_not_by_its_name():
    tables = 'phases=[{name="one"}, {name="two", start="one"}, {name="three", finetune={epochs=9}}]'
    recipe = load_recipe("gallery-vqa", "pocket", [tables])
    one, two, three = map(recipe.in_phase, recipe.phases)
    plain = load_recipe("gallery-vqa", "pocket")
    alone = tune_adapter.key(plain, UPSTREAM)
    assert tune_adapter.key(one, UPSTREAM) == tune_adapter.key(two, UPSTREAM) == alone
    assert tune_adapter.key(three, UPSTREAM) != alone
    begun = [tune_adapter.key(two, UPSTREAM, start) for start in (UPSTREAM, OTHER)]
    assert len({alone, *begun}) == 3
    assert build_dataset.key(one, UPSTREAM, UPSTREAM) == build_dataset.key(plain, UPSTREAM, UPSTREAM)


@pytest.mark.parametrize(
    ("sets", "weights"),
    [
        ({"own": UPSTREAM, "one": UPSTREAM}, {"own": 1.0, "one": 1.0}),
        ({"own": UPSTREAM, "one": OTHER}, {"own": 2.0, "one": 1.0}),
        ({"own": OTHER, "one": UPSTREAM}, {"own": 1.0, "one": 1.0}),
    ],
)
def test_a_mixture_is_known_by_its_sets_and_their_weights(sets, weights):
    recipe = load_recipe("gallery-vqa", "pocket")
    known = mix_rows.key(recipe, {"own": UPSTREAM, "one": OTHER}, {"own": 1.0, "one": 1.0})
    assert mix_rows.key(recipe, sets, weights) != known
    turned = mix_rows.key(recipe, {"one": OTHER, "own": UPSTREAM}, {"one": 1.0, "own": 1.0})
    assert turned == known


def test_a_result_that_an_earlier_version_persisted_is_read():
    """It named a folder of its machine, too."""
    serializer = JSONSerializer()
    kept = json.loads(serializer.dumps(UPSTREAM))
    kept["data"]["path"] = "/elsewhere/key"

    assert serializer.loads(json.dumps(kept).encode()) == UPSTREAM
