import pytest

from blip_core.pocket.evalset import load_bundled
from blip_core.pocket.tracing import composed_ids, composed_steps


@pytest.mark.parametrize("name", ["shifted", "generic"])
def test_a_bundled_question_tells_truth_scene_and_seed(name):
    row = load_bundled(name).slice(7, 1).to_pylist()[0]
    (step,) = composed_steps(row["id"])
    assert step.stage == "composed"
    assert step.facts["answer"] == row["answer"]
    assert step.facts["place"] == row["place"]
    assert step.facts["options"]["B"] == row["b"]
    assert step.png == row["image"]["bytes"]
    assert f"{step.facts['seed']}" in step.facts["origin"]


def test_a_bundled_picture_lists_its_questions():
    questions, picture = composed_steps("shifted-0003")
    assert [one["id"] for one in questions.facts["questions"]] == [f"shifted-q{n:05d}" for n in range(12, 16)]
    assert picture.png


@pytest.mark.parametrize("row_id", ["nature-00012-p0", "shifted-q99999", "shifted", "", "generic-"])
def test_other_ids_give_nothing(row_id):
    assert composed_steps(row_id) == []


def test_ids_hold_questions_and_pictures_of_both_sets():
    assert {"shifted-q00012", "shifted-0003", "generic-q00000"} <= set(composed_ids())
