"""Scenes: answers that rest in the store are not asked for again."""

import pytest

from blip_core.backends.scripted import ScriptedWriter
from blip_core.errors import StageFailure
from tasks.write_scenes import KeptAnswers


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))


def test_answers_that_rest_are_not_asked_for_again():
    writer = ScriptedWriter(["one", "two"])
    assert KeptAnswers({"by": "one"}, lambda: writer).write(["a", "b"], [1, 2]) == ["one", "two"]
    assert KeptAnswers({"by": "one"}, lambda: writer).write(["a", "b"], [1, 2]) == ["one", "two"]
    assert len(writer.calls) == 2


def test_other_seeds_and_another_model_are_asked_for():
    writer = ScriptedWriter(["one", "two", "three"])
    answers = [
        KeptAnswers({"by": model}, lambda: writer).write(["a"], [seed])
        for model, seed in [("one", 1), ("one", 2), ("other", 1)]
    ]
    assert answers == [["one"], ["two"], ["three"]]


def test_what_fails_leaves_no_answers():
    with pytest.raises(StageFailure):
        KeptAnswers({"by": "one"}, lambda: ScriptedWriter(["one"])).write(["a", "b"], [1, 2])
    assert KeptAnswers({"by": "one"}, lambda: ScriptedWriter(["3", "4"])).write(["a", "b"], [1, 2]) == [
        "3",
        "4",
    ]
