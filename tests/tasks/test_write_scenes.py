"""Scenes: answers that rest in the store are not asked for again."""

import pytest

from blip_core.backends.scripted import ScriptedWriter
from blip_core.errors import StageFailure
from blip_core.recipes import load_recipe
from blip_core.scenes import SceneCall, certain_calls, collect_scenes, format_list
from tasks.write_scenes import KeptAnswers, answering_calls, write_scenes


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))


def asked(by, writer, seeds):
    calls = [SceneCall(f"call {seed}", "pets", f"prompt {seed}", seed) for seed in seeds]
    return KeptAnswers(answering_calls({"by": by}, lambda: writer)).ask(calls)


def test_answers_that_rest_are_not_asked_for_again():
    writer = ScriptedWriter(["one", "two"])
    assert asked("one", writer, [1, 2]) == ["one", "two"]
    assert asked("one", writer, [1, 2]) == ["one", "two"]
    assert len(writer.calls) == 2


def test_other_seeds_and_another_model_are_asked_for():
    writer = ScriptedWriter(["one", "two", "three"])
    answers = [asked(model, writer, [seed]) for model, seed in [("one", 1), ("one", 2), ("other", 1)]]
    assert answers == [["one"], ["two"], ["three"]]


def test_what_fails_leaves_no_answers():
    with pytest.raises(StageFailure):
        asked("one", ScriptedWriter(["one"]), [1, 2])
    assert asked("one", ScriptedWriter(["3", "4"]), [1, 2]) == ["3", "4"]


def test_what_is_asked_for_in_any_case_is_what_is_asked_first():
    recipe = load_recipe(
        "gallery-vqa", "pocket", ["scenes.count=12", "scenes.per_call=2", "scenes.batch_size=4"]
    )
    asked = []

    def ask(calls):
        asked.append(calls)
        return [format_list([f"A dog and {call.seed} {line} balls" for line in range(2)]) for call in calls]

    collect_scenes(ask, recipe.scenes, recipe.seed)
    assert certain_calls(recipe.scenes, recipe.seed) == asked


@pytest.mark.slow
def test_scenes_are_the_same_whoever_answers(monkeypatch, tmp_path):
    told = ["scenes.count=90", "scenes.batch_size=6", "scenes.max_new_tokens=64"]
    keys = set()
    for name, who in [("here", "serial"), ("two", "processes")]:
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / name))
        recipe = load_recipe("gallery-vqa", "pocket", [*told, f"device.executor={who}", "device.workers=2"])
        ref = write_scenes.task.fn(recipe=recipe)
        keys.add((ref.key, ref.digest))
    assert len(keys) == 1
