"""Cross-fitting: whose answer to a row is taken, and what cannot be joined."""

import pytest

from blip_core.dataset import assign_splits, write_dataset
from blip_core.errors import RecipeError, TableError
from blip_core.recipes import load_recipe
from blip_core.records import Prediction, prediction_schema
from blip_core.store import read_rows, write_rows
from blip_core.wiring import workplace
from flows.variants.choosing import choose_answering
from tasks.join_folds import join_folds, learnt_by
from tasks.predict_variant import FILE
from tasks.stage import metadata_of, path_of
from tests.unit.examples import example

ROWS = 24
FOLDS = ("fold-1", "fold-2")


@pytest.fixture
def recipe():
    return load_recipe("dish-captions", "pocket")


@pytest.fixture
def rows():
    return [example(n, task="caption", image=f"picture {n}".encode(), target="a dish") for n in range(ROWS)]


@pytest.fixture
def folds(recipe, rows, monkeypatch, tmp_path):
    """Datasets and answers of both folds in a store of their own: each answer says whose it is."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    store = workplace().store

    def dataset(place):
        def build(folder):
            splits = assign_splits(rows, 0.1, 0.0, {}, (place, len(FOLDS)))
            return dict(write_dataset(folder, rows, [], splits, recipe, {}))

        return store.publish(store.key("dataset", {"place": place}), "dataset", build).ref()

    def answers(name):
        def build(folder):
            said = [said_by(name, row) for row in rows]
            write_rows(folder / FILE, said, prediction_schema(["caption"]))
            told = {"task": "caption", "evaluation": "split", "evaluation_identity": "i", "model": "m"}
            return {"rows": len(rows), **told}

        return store.publish(store.key("predictions", {"name": name}), "predictions", build).ref()

    return [dataset(0), dataset(1)], [answers(name) for name in FOLDS]


def said_by(name, row):
    empty = dict.fromkeys(("kind", "description", "ranked", "generated_letter", "truth"), "")
    chances = dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.0)
    told = {"id": row.id, "picture_id": row.picture_id, "category": "food", "target": row.target}
    return Prediction(**empty, **chances, **told, variant=name, generated=name, task="caption", offered=0)


def joined(recipe, folds, name):
    datasets, answers = folds
    variant = next(one for one in recipe.variants if one.name == name)
    learnt = learnt_by(recipe, FOLDS, dict(zip(FOLDS, datasets, strict=True)))
    said = dict(zip(FOLDS, answers, strict=True))
    return join_folds.task.fn(recipe, variant, said, learnt, datasets[-1])


def test_every_row_is_taken_once_from_who_learnt_it_and_once_from_who_did_not(recipe, folds):
    by = {
        name: read_rows(path_of(joined(recipe, folds, name)) / FILE, Prediction)
        for name in ("seen", "unseen")
    }
    seen, unseen = ({row.id: row.generated for row in found} for found in by.values())
    assert {row.variant for row in by["seen"]} == {"seen"}
    assert seen.keys() == unseen.keys()
    assert 0 < len(seen) <= ROWS
    assert all({seen[row], unseen[row]} == set(FOLDS) for row in seen)
    assert set(seen.values()) == set(FOLDS)


def test_how_many_rows_came_from_whom_is_told(recipe, folds):
    told = metadata_of(joined(recipe, folds, "seen"))
    assert sum(told["joined"].values()) == told["rows"]


def test_a_picture_that_a_fold_watched_while_learning_is_not_unseen(recipe, folds):
    every = recipe.model_copy(
        update={"evaluation": recipe.evaluation.model_copy(update={"splits": ("validation", "train")})}
    )
    with pytest.raises(TableError, match=r"variant unseen: .* none of fold-1, fold-2 never saw it"):
        joined(every, folds, "unseen")


def test_an_adapter_without_its_rows_is_refused(recipe):
    with pytest.raises(TableError, match="the dataset of phase fold-2 is neither made nor named"):
        learnt_by(recipe, FOLDS, {"fold-1": None})


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("of = ['fold-1', 'blip2'], rows = 'seen'", "joins blip2"),
        ("of = ['fold-1', 'later'], rows = 'seen'", "joins later"),
        ("of = ['fold-1', 'fold-1'], rows = 'seen'", "more than once"),
        ("of = ['fold-1'], rows = 'seen'", r"variants\[2\]\.of is"),
        ("of = ['fold-1', 'fold-2'], rows = 'known'", r"variants\[2\]\.rows is 'known'"),
    ],
)
def test_what_cannot_be_joined_is_refused_before_any_work(variant, said):
    first = "{name = 'blip2', role = 'base'}, {name = 'fold-1', role = 'base', adapter = 'fold-1'}"
    last = "{name = 'later', role = 'base', adapter = 'fold-2'}"
    joins = f"{{name = 'joined', role = 'cross-fit', {variant}}}"
    with pytest.raises(RecipeError, match=said):
        load_recipe("dish-captions", "pocket", [f"variants=[{first}, {joins}, {last}]"])


def test_rows_of_ones_own_are_answered_by_a_model_and_not_by_a_join(recipe):
    with pytest.raises(RecipeError, match="seen joins what fold-1 and fold-2 said"):
        choose_answering(recipe, "seen")


@pytest.mark.parametrize("fold", ["0/2", "3/2", "1/1", "1", "a/b", "1/100", "-1/2", " 1/2"])
def test_a_fold_that_makes_no_sense_is_refused(fold):
    with pytest.raises(RecipeError, match="hold_out"):
        load_recipe("dish-captions", "pocket", [f"dataset.hold_out='{fold}'"])
