"""Shards worked elsewhere: the same bytes, whoever works them, in whatever order, and whoever dies."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from blip_core.errors import BudgetSpent, StageFailure, TableError
from blip_core.execution.pool import Pool
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import EXAMPLE_SCHEMA, REJECTION_SCHEMA, Example, Rejection
from blip_core.store import read_rows, write_rows
from blip_core.wiring import workplace
from tasks import crews, label_pictures, paint_pictures
from tasks.allowance import Allowance, allowance, allowing
from tasks.crews import crew_for, employing
from tasks.shards import ShardWork, by_place, by_rows, in_runs, publish_shards
from tasks.stage import NoWatcher, watched_by
from tests.executors import ScriptedLauncher, scripted_pool
from tests.faults.doubles import SeededLabeller
from tests.pocket_scenes import scenes_of

ROWS = 10
FILE = "rows.parquet"
OVER = 2  # requests beyond the least, a shard


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 2)


@pytest.fixture
def employ(monkeypatch):
    """Let a pool work, in place of the one that the recipe names."""

    def employed(pool):
        monkeypatch.setattr(crews, "build_executor", lambda recipe: pool)
        return pool

    return employed


@pytest.fixture
def recipe():
    return load_recipe("gallery-vqa", "pocket", ["device.executor=processes"])


@contextmanager
def noting_shards(recipe: Recipe, mark: str):
    def build(folder, shard, report):
        if any(row.detail == "refused" for row in shard):
            raise TableError(f"{shard[0].id} is refused")
        report(1, 2)
        allowance().spend(OVER)
        write_rows(folder / FILE, shard, REJECTION_SCHEMA)
        (folder / "mark.txt").write_text(mark)
        return {"rows": len(shard)}

    yield ShardWork("noted", Rejection, by_rows({"mark": mark, "seed": recipe.seed}), build, requests=1)


@contextmanager
def showing_shards(recipe: Recipe):
    def build(folder, shard, report):
        return {"rows": write_rows(folder / FILE, shard, EXAMPLE_SCHEMA)}

    yield ShardWork("shown", Example, by_place("whole"), build, schema=EXAMPLE_SCHEMA)


def note(recipe, rows, mark="one"):
    with noting_shards(recipe, mark) as work, crew_for(recipe, noting_shards, mark=mark) as crew:
        return publish_shards(work, in_runs(rows, 2), len(rows), crew)


def rows_of(count=ROWS, **details):
    return [
        Rejection(f"row-{number}", "any", "any", details.get(f"r{number}", "")) for number in range(count)
    ]


def digests(shards):
    return [(shard.key, shard.digest) for shard in shards]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_shards_in_the_same_order_whoever_works_them(
    recipe, employ, tmp_path, workers, seed, monkeypatch
):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "alone"))
    alone = note(load_recipe("gallery-vqa", "pocket"), rows_of())
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "together"))
    employ(scripted_pool(workers, seed=seed))
    assert digests(note(recipe, rows_of())) == digests(alone)
    assert [row.id for shard in alone for row in read_rows(shard.path / FILE, Rejection)] == [
        row.id for row in rows_of()
    ]


@pytest.mark.parametrize("deaths", [{"dies_before": [0, 3]}, {"dies_behind": [1, 2]}])
def test_deaths_change_nothing(recipe, employ, deaths, tmp_path, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "alone"))
    alone = note(load_recipe("gallery-vqa", "pocket"), rows_of())
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "together"))
    employ(scripted_pool(2, **deaths))
    assert digests(note(recipe, rows_of())) == digests(alone)


def test_shards_that_rest_are_not_sent_out(recipe, employ):
    first = note(load_recipe("gallery-vqa", "pocket"), rows_of(6))
    launcher = ScriptedLauncher()
    employ(Pool(launcher, 2, 600))
    assert note(recipe, rows_of(6)) == first
    assert launcher.started == 0
    assert note(recipe, rows_of())[:3] == first
    assert launcher.begun == ROWS // 2 - 3


def test_a_shard_that_fails_ends_the_stage_and_keeps_what_is_finished(recipe, employ):
    employ(scripted_pool(2))
    with pytest.raises(TableError, match=r"^row-6 is refused$"):
        note(recipe, rows_of(r6="refused"))
    assert len(workplace().store.artifacts("noted-shard")) in (3, 4)


def test_a_shard_that_ends_three_workers_is_named(recipe, employ):
    employ(scripted_pool(1, dies_before=[1, 2, 3]))
    words = "^the shard of noted from row 3 ended 3 workers; the last, worker 1 was killed"
    with pytest.raises(StageFailure, match=words):
        note(recipe, rows_of())
    assert len(workplace().store.artifacts("noted-shard")) == 1


def test_what_workers_ask_of_models_is_counted_here(recipe, employ):
    employ(scripted_pool(2))
    with allowing(Allowance()) as spent:
        note(recipe, rows_of())
    assert spent.asked == ROWS + OVER * ROWS // 2
    assert spent.whole == {"noted": ROWS // 2}


def test_no_shard_is_begun_that_the_allowance_does_not_cover(recipe, employ):
    employ(scripted_pool(2))
    with allowing(Allowance(requests=9)), pytest.raises(BudgetSpent):
        note(recipe, rows_of())
    assert len(workplace().store.artifacts("noted-shard")) in (2, 3, 4)


def test_progress_counts_rows_and_never_goes_back(recipe, employ):
    told = []
    watching = NoWatcher()
    watching.progress = lambda done, total: told.append((done, total))
    employ(scripted_pool(3, dies_behind=[0, 2]))
    with watched_by(watching):
        note(recipe, rows_of())
    assert told == sorted(told)
    assert told[-1] == (ROWS, ROWS)


def test_a_worker_of_another_version_is_refused(recipe, employ, monkeypatch):
    employ(scripted_pool(1))
    opened = crews._worked

    def as_another_version(work, shard, tell):
        newer = replace(work, inputs=by_rows({"mark": "one", "version": 2}))
        return opened(newer, shard, tell)

    monkeypatch.setattr(crews, "_worked", as_another_version)
    with pytest.raises(StageFailure, match="has another version of this package, or other checkpoints"):
        note(recipe, rows_of())
    assert workplace().store.artifacts("noted-shard") == []


def test_rows_with_pictures_are_handed_over_through_the_store_and_forgotten(recipe, employ, make_examples):
    employ(scripted_pool(2))
    examples = make_examples(5)
    with showing_shards(recipe) as work, crew_for(recipe, showing_shards) as crew:
        shards = publish_shards(work, in_runs(examples, 2), len(examples), crew)
    assert [row for shard in shards for row in read_rows(shard.path / FILE, Example)] == examples
    assert workplace().store.artifacts("handed-rows") == []


def test_workers_stay_from_one_stage_to_the_next_of_a_run(recipe, monkeypatch):
    built = []
    monkeypatch.setattr(crews, "build_executor", lambda recipe: built.append(scripted_pool(2)) or built[-1])
    with employing():
        note(recipe, rows_of(), "one")
        note(recipe, rows_of(), "two")
    assert len(built) == 1


def test_pictures_and_labels_of_a_recipe_are_the_same_from_workers(recipe, employ, tmp_path, monkeypatch):
    monkeypatch.setattr(label_pictures, "build_labeller", lambda recipe: SeededLabeller())
    made = {}
    for executor in ("serial", "processes"):
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / executor))
        employ(scripted_pool(3, seed=5, dies_behind=[2]))
        named = ["source.kind=world", f"device.executor={executor}", "labels.batch_size=2"]
        small = load_recipe("gallery-vqa", "pocket", named)
        scenes = scenes_of(7)
        pictures = paint_pictures.paint_pictures.task.fn(small, scenes)
        labels = label_pictures.label_pictures.task.fn(small, pictures)
        made[executor] = (pictures.key, pictures.digest, labels.key, labels.digest)
    assert made["serial"] == made["processes"]


def test_a_model_behind_a_server_is_asked_from_here(recipe, employ, monkeypatch):
    monkeypatch.setattr(crews, "build_executor", lambda recipe: pytest.fail("no workers are needed"))
    with crew_for(recipe, noting_shards, False, mark="one") as crew:
        assert crew is None
