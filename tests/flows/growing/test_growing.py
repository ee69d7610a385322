"""Growth: however a length is reached, it is the same; what is there is not made again, and never lost."""

import json

import pytest

from blip_core.dataset.comparing import marks_of
from blip_core.dataset.growth import Target
from blip_core.errors import BudgetSpent, RecipeError, StoreError
from blip_core.recipes import load_recipe
from blip_core.wiring import workplace
from flows.growing.growing import grow, line_of
from tasks.stage import path_of
from tests.flows.growing.small import make


def grown(recipe, **target):
    return grow(recipe, Target(**target), make)


def test_three_runs_end_in_the_version_of_one(recipe, monkeypatch, tmp_path):
    runs = [grown(recipe, rows=rows) for rows in (8, 16, 32)]
    assert [run.version.parent for run in runs] == ["", *(run.version.digest for run in runs[:-1])]
    assert all(run.difference.extends for run in runs[1:])
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "elsewhere"))
    alone = grown(recipe, rows=32)
    assert (alone.version.digest, alone.version.parent) == (runs[-1].version.digest, "")
    assert 32 <= alone.version.rows < 32 + 8


def test_rows_that_are_there_keep_bytes_and_split(recipe):
    first, second = grown(recipe, rows=20), grown(recipe, more=20)
    before, after = marks_of(path_of(first.dataset)), marks_of(path_of(second.dataset))
    assert before.items() <= after.items()
    assert len(after) >= len(before) + 20


def test_only_what_is_missing_is_made(recipe, monkeypatch):
    grown(recipe, rows=20)
    asked = []

    def label(self, pictures, prompts, seeds):
        asked.extend(seeds)
        return type(self).said(self, pictures, prompts, seeds)

    from tests.faults.doubles import SeededLabeller

    monkeypatch.setattr(SeededLabeller, "said", SeededLabeller.label, raising=False)
    monkeypatch.setattr(SeededLabeller, "label", label)
    second = grown(recipe, rows=40)
    new = second.version.scenes - second.parent.scenes
    assert 0 < len(asked) <= new * recipe.labels.per_picture * (recipe.labels.retries + 1)
    asked.clear()
    again = grown(recipe, rows=40)
    assert (again.is_new, again.version, asked) == (False, second.version, [])


@pytest.mark.parametrize(("rows", "scenes"), [(1, 4), (4, 4), (5, 8)])
def test_it_takes_the_shortest_length_that_has_reached_its_target(recipe, rows, scenes):
    found = grown(
        recipe.model_copy(update={"labels": recipe.labels.model_copy(update={"retries": 9})}), rows=rows
    )
    assert found.version.scenes == scenes


def test_a_plain_run_of_as_many_scenes_is_the_same_dataset(recipe):
    plain = make(recipe.with_scenes(8))
    assert grown(recipe, rows=plain.rows).dataset == plain


def test_balance_is_a_target(recipe):
    found = grown(recipe, balance=0.2)
    assert found.version.rows > 0
    assert not grown(recipe, balance=0.2).is_new


def test_a_budget_that_ends_on_the_way_keeps_what_is_whole_and_the_next_run_goes_on(recipe):
    first = grown(recipe, rows=32, requests=24)
    assert first.stopped
    assert 0 < first.version.rows < 32
    while (found := grown(recipe, rows=32, requests=24)).stopped:
        pass
    assert found.version.rows >= 32
    assert len(line_of(recipe).versions()) > 2


def test_hours_that_are_over_at_once_are_one_sentence(recipe):
    with pytest.raises(BudgetSpent, match=r"before the first step of 4 scenes was whole.*hours are over"):
        grown(recipe, hours=1e-9)


def test_a_budget_that_covers_no_shard_is_refused(recipe):
    with pytest.raises(RecipeError, match="allow at least 8"):
        grown(recipe, requests=3)


def test_who_comes_second_is_told_so(recipe):
    with line_of(recipe).alone(), pytest.raises(StoreError, match="is being extended by another run"):
        grown(recipe, rows=20)


@pytest.mark.parametrize("field", ["labels.temperature=0.3", "seed=5", "curation.lengths.min_words=4"])
def test_other_rows_are_another_line(recipe, tmp_path, field):
    from tests.flows.growing.small import small

    assert line_of(small(tmp_path, field)).key != line_of(recipe).key
    assert line_of(small(tmp_path, "scenes.count=99")).key == line_of(recipe).key


def test_a_version_that_was_pruned_is_made_again_from_its_shards(recipe):
    first = grown(recipe, rows=20)
    (path_of(first.dataset) / "manifest.json").unlink()
    second = grown(recipe, rows=40)
    assert second.version.parent == first.version.digest
    assert second.difference.extends


def test_a_pruned_version_that_comes_out_otherwise_is_one_sentence(recipe):
    first = grown(recipe, rows=20)
    (path_of(first.dataset) / "manifest.json").unlink()
    line = line_of(recipe)
    line.path.write_text(line.path.read_text().replace(first.version.digest, "0" * 64))
    with pytest.raises(StoreError, match=r"was pruned, and what is made in its place is"):
        grown(recipe, rows=40)


def test_a_line_that_is_damaged_is_one_sentence(recipe):
    grown(recipe, rows=20)
    line_of(recipe).path.write_text("{")
    with pytest.raises(StoreError, match="does not tell the versions"):
        grown(recipe, rows=40)


@pytest.mark.parametrize(
    "edit", [{"key": "../../etc"}, {"scenes": -4}, {"rows": "many"}, {"scenes": 4.0}, {"wings": 2}]
)
def test_a_line_that_was_edited_by_hand_is_one_sentence(recipe, edit):
    grown(recipe, rows=20)
    line = line_of(recipe)
    told = json.loads(line.path.read_text())
    told["versions"][0].update(edit)
    line.path.write_text(json.dumps(told))
    with pytest.raises(StoreError, match="does not tell the versions"):
        grown(recipe, rows=40)


@pytest.mark.parametrize("kind", ["pictures", "labels", "scenes"])
def test_a_pruned_version_whose_shards_went_too_is_made_again(recipe, kind):
    first = grown(recipe, rows=20)
    store = workplace().store
    for one in store.artifacts():
        if one.kind in ("dataset", kind, f"{kind}-shard"):
            (one.path / "manifest.json").unlink()
    second = grown(recipe, rows=40)
    assert second.version.parent == first.version.digest
    assert second.difference.extends


@pytest.mark.parametrize("name", ["fashion-vqa", "detailed-descriptions"])
def test_what_cannot_grow_is_refused(home, name):
    with pytest.raises(RecipeError, match="cannot be extended"):
        grow(load_recipe(name), Target(rows=5), make)


@pytest.mark.parametrize("most", [1, 40, 10_000])
def test_rows_that_are_drawn_among_all_cannot_grow(home, most):
    cut = load_recipe("gallery-vqa", "pocket", [f"dataset.train_rows={most}"])
    with pytest.raises(RecipeError, match=r"cannot be extended: dataset\.train_rows"):
        grow(cut, Target(rows=5), make)


def test_a_store_forgets_no_version_whose_file_was_replaced_halfway(recipe):
    grown(recipe, rows=20)
    line = line_of(recipe)
    line.path.with_name(f".{line.path.name}.1").write_text("{")
    assert len(line.versions()) == 1
    assert workplace().store.find(line.last().key) is not None
