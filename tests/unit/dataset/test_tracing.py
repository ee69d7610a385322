import os
from dataclasses import replace

import pytest

from blip_core.dataset import write_dataset
from blip_core.dataset.steps import FROM_OUTSIDE
from blip_core.dataset.tracing import NEVER_SAID, near_ids, trace_row
from blip_core.errors import TableError
from blip_core.painting import picture_prompt
from blip_core.records import REJECTION_SCHEMA, Prediction, Rejection
from blip_core.reporting.submission import Answered, answered_schema
from blip_core.scenes import scene_prompt
from blip_core.store import Store, read_rows, write_rows
from blip_core.store.lineage import Lineage
from tests.unit.examples import example, png, world_pixels
from tests.unit.grown_store import GrownStore, small_recipe


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    grown = GrownStore(tmp_path_factory.mktemp("store"))
    grown.predict("finetuned", grown.examples)
    return grown


def trace(grown, row_id, dataset=None):
    return trace_row(Lineage(grown.store.artifacts()), row_id, dataset)


def stages(found):
    return [step.stage for step in found.steps]


def step(found, stage):
    return next(step for step in found.steps if step.stage == stage)


def test_a_prediction_is_walked_back_to_the_prompt_that_started_it(grown):
    row = grown.examples[0]
    found = trace(grown, row.id)
    assert stages(found) == ["prediction", "example", "label", "picture", "scene", "recipe"]
    asked = grown.recipe.scenes
    category = next(one for one in asked.categories if one.name == row.category)
    assert step(found, "scene").facts["prompt"] == scene_prompt(category, asked).strip()
    assert step(found, "scene").facts["text"] == row.scene
    assert step(found, "recipe").facts["seed"] == grown.recipe.seed
    assert not any(one.unknown for one in found.steps)


def test_the_picture_step_tells_seed_checkpoint_and_prompt_as_filled_in(grown):
    row = grown.examples[0]
    facts = step(trace(grown, row.id), "picture").facts
    scene = type("Scene", (), {"text": row.scene})
    assert facts["prompt"] == picture_prompt(scene, grown.recipe.pictures)
    assert facts["checkpoint"] == grown.recipe.pictures.model.id
    assert facts["model"] == "p" * 64
    assert facts["seed"] > 0


def test_the_example_step_tells_its_split_and_the_gates_it_passed(grown):
    facts = step(trace(grown, grown.examples[0].id), "example").facts
    assert facts["split"] in ("train", "validation", "test")
    assert "exact_duplicates" in facts["gates_passed"]


def test_the_label_step_leaves_the_question_to_the_example(grown):
    facts = step(trace(grown, grown.examples[0].id), "label").facts
    assert facts["attempt"] == 1
    assert facts["attempts_allowed"] == 1
    assert "question" not in facts


def test_the_picture_of_the_row_comes_along(grown):
    row = grown.examples[0]
    assert trace(grown, row.id).picture == row.image


def refused_by(grown, stage):
    rejects = read_rows(grown.dataset.path / "rejects.parquet", Rejection)
    return next(one.id for one in rejects if one.stage == stage)


@pytest.mark.parametrize(("by", "rest"), [("labels", "picture"), ("pictures", "scene")])
def test_a_refused_row_tells_stage_and_reason_and_what_came_before(grown, by, rest):
    refused = refused_by(grown, by)
    found = trace(grown, refused)
    assert step(found, "refused").facts["by"] == by
    assert step(found, "refused").facts["reason"]
    assert stages(found)[:2] == ["refused", rest]
    assert stages(found)[-2:] == ["scene", "recipe"]


def test_a_picture_lists_its_questions_and_a_scene_its_pictures(grown):
    row = grown.examples[0]
    of_picture, of_scene = trace(grown, row.picture_id), trace(grown, row.group)
    assert stages(of_picture) == ["questions", "picture", "scene", "recipe"]
    assert stages(of_scene) == ["questions", "picture", "scene", "recipe"]
    listed = step(of_scene, "questions").facts["questions"]
    assert [one["id"] for one in listed] == [row.id]


def test_a_scene_whose_picture_was_refused_says_so(grown):
    scene_id = refused_by(grown, "pictures").rpartition("-")[0]
    found = trace(grown, scene_id)
    assert step(found, "questions").facts["questions"][0]["reason"] == "blank"
    assert step(found, "scene").id == scene_id


def test_manifests_that_do_not_say_leave_steps_unknown(tmp_path):
    old = GrownStore(tmp_path, says=False)
    found = trace(old, old.examples[0].id)
    assert stages(found) == ["example", "label", "picture", "scene"]
    assert [one.unknown for one in found.steps[1:]] == [NEVER_SAID] * 3
    assert step(found, "scene").facts["text"] == old.examples[0].scene
    assert found.picture == old.examples[0].image


def test_the_newest_dataset_is_taken_and_the_others_are_named(tmp_path):
    first = GrownStore(tmp_path)
    second = GrownStore(tmp_path, small_recipe("labels.temperature=0.5", "dataset.rows_per_group=2"))
    GrownStore(tmp_path, small_recipe("labels.temperature=0.6"))  # holds the same as the first
    shared = first.examples[0].id
    os.utime(second.dataset.path / "manifest.json")
    found = trace(second, shared)
    assert found.dataset.key == second.dataset.key
    assert [one.digest for one in found.also_in] == [first.dataset.digest]
    assert trace(second, shared, first.dataset).dataset.key == first.dataset.key


def test_answers_about_another_dataset_are_left_out(tmp_path):
    first = GrownStore(tmp_path)
    second = GrownStore(tmp_path, small_recipe("labels.temperature=0.5"))
    shared = first.examples[0]
    own = first.predict("finetuned", [shared])
    second.predict("finetuned", [shared], right=False)
    found = trace(first, shared.id, first.dataset)
    assert [one.artifact.key for one in found.steps if one.stage == "prediction"] == [own.key]


def test_labels_without_a_dataset_are_followed_all_the_same(tmp_path):
    grown = GrownStore(tmp_path)
    artifacts = [one for one in grown.store.artifacts() if one.kind in ("scenes", "pictures", "labels")]
    found = trace_row(Lineage(artifacts), grown.examples[0].id)
    assert stages(found) == ["label", "picture", "scene", "recipe"]
    assert step(found, "label").facts["question"] == grown.examples[0].question
    assert found.dataset is None


def test_a_picture_from_outside_says_that_nothing_painted_it(tmp_path):
    row = example(1, id="17", group="g", picture_id="abc", scene="", image=png(world_pixels(1)))
    recipe = small_recipe()

    def build(folder):
        counts = write_dataset(folder, [row], [], {"17": "train"}, recipe, {})
        return {**counts, "recipe": "mine", "made_from": {}}

    store = Store(tmp_path)
    store.publish("dataset-1", "dataset", build)
    found = trace_row(Lineage(store.artifacts()), "17")
    assert stages(found) == ["example", "picture", "recipe"]
    assert step(found, "picture").facts["origin"] == FROM_OUTSIDE


def test_rows_of_an_answered_table_show_their_question_and_refused_ones_their_reason(tmp_path):
    grown = GrownStore(tmp_path)
    said = grown.predict("flan-t5", grown.examples[:1])
    prediction = read_rows(said.path / "predictions.parquet", Prediction)[0]
    row = replace(Answered.of(grown.examples[0], prediction), id="17")

    def build(folder):
        write_rows(folder / "answers.parquet", [row], answered_schema(["mcq"]))
        refused = [Rejection("18", "table", "empty-text", "row 2: no question")]
        write_rows(folder / "rejections.parquet", refused, REJECTION_SCHEMA)
        return {"variant": "flan-t5", "table": "mine.csv", "made_from": {}}

    grown.store.publish("answers-1", "answers", build)
    found = trace(grown, "17")
    assert stages(found) == ["prediction", "asked"]
    assert step(found, "prediction").facts["judged_on"] == "table mine.csv"
    assert step(found, "asked").facts["question"] == grown.examples[0].question
    assert step(trace(grown, "18"), "refused").facts["reason"] == "empty-text"


def test_another_question_of_the_same_id_is_not_taken_for_this_one(tmp_path):
    grown = GrownStore(tmp_path)
    row = grown.examples[0]
    grown.predict("flan-t5", [replace(row, picture_id="elsewhere")], made_from={}, evaluation="table")
    assert "prediction" not in stages(trace(grown, row.id))


def test_an_unknown_id_is_not_found_and_has_neighbours(grown):
    lineage = Lineage(grown.store.artifacts())
    known = grown.examples[0].id
    assert trace_row(lineage, known + "x") is None
    assert known in near_ids(lineage, known + "x")


def test_a_damaged_file_is_named(tmp_path):
    grown = GrownStore(tmp_path)
    path = grown.pictures.path / "pictures.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(TableError, match=r"pictures\.parquet"):
        trace(grown, grown.examples[0].id)
