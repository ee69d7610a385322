"""Shards: what was finished before a failure is not made again."""

import pytest

from blip_core.errors import StageFailure
from blip_core.records import Rejection
from tasks.shards import ShardWork, by_place, by_rows, in_runs, on_first_use, on_scene_grid, publish_shards
from tasks.stage import NoWatcher, watched_by


class Model:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def small_shards(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 2)


def in_shards(kind, whole, rows, build):
    return publish_shards(ShardWork(kind, str, by_place(whole), build), in_runs(rows, 2), len(rows))


def write(folder, rows, report):
    (folder / "rows.txt").write_text(" ".join(rows))
    report(len(rows), len(rows))
    return {"rows": len(rows)}


def read(artifacts):
    return [(artifact.path / "rows.txt").read_text() for artifact in artifacts]


def test_rows_are_worked_in_order_and_the_last_shard_may_be_short():
    assert read(in_shards("pictures", "whole", list("abcde"), write)) == ["a b", "c d", "e"]


def test_after_a_failure_only_the_shard_that_failed_and_later_ones_are_made():
    made = []

    def build(folder, rows, report):
        made.append(rows[0])
        if rows[0] == "c" and made.count("c") == 1:
            raise StageFailure("the machine was unplugged")
        return write(folder, rows, report)

    with pytest.raises(StageFailure):
        in_shards("pictures", "whole", list("abcde"), build)
    assert read(in_shards("pictures", "whole", list("abcde"), build)) == ["a b", "c d", "e"]
    assert made == ["a", "c", "c", "e"]


def test_another_whole_has_shards_of_its_own():
    first = in_shards("pictures", "one", ["a"], write)
    second = in_shards("pictures", "other", ["b"], write)
    assert read(first) == ["a"]
    assert read(second) == ["b"]


def test_a_model_nobody_asked_for_is_not_loaded():
    loaded = []
    with on_first_use(lambda: loaded.append(1) or Model()):
        pass
    assert loaded == []


def test_a_model_is_loaded_once_and_closed_even_after_a_failure():
    models = []

    def load():
        models.append(Model())
        return models[-1]

    def use():
        with on_first_use(load) as get:
            assert get() is get()
            raise StageFailure("later")

    with pytest.raises(StageFailure):
        use()
    assert [model.is_closed for model in models] == [True]


def test_progress_counts_rows_whatever_a_shard_counts():
    def build(folder, rows, report):
        for question in range(1, 2 * len(rows) + 1):
            report(question, 2 * len(rows))
        return write(folder, rows, report)

    told = []
    watching = NoWatcher()
    watching.progress = lambda done, total: told.append((done, total))
    with watched_by(watching):
        in_shards("labels", "whole", list("abc"), build)
    assert {total for _, total in told} == {3}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (3, 3)


def row(number, detail=""):
    return Rejection(f"nature-{number:05d}-p0", "any", "any", detail)


def own(rows, by="one"):
    made = []

    def build(folder, shard, report):
        made.append([one.id for one in shard])
        return {"rows": len(shard)}

    work = ShardWork("pictures", Rejection, by_rows({"by": by}), build)
    publish_shards(work, in_runs(rows, 2), len(rows))
    return made


def test_a_longer_run_makes_the_shards_that_a_shorter_one_did_not():
    rows = [row(number) for number in range(6)]
    own(rows[:4])
    assert own(rows) == [[one.id for one in rows[4:]]]


def test_a_shard_that_was_short_is_made_anew_when_it_is_whole():
    rows = [row(number) for number in range(4)]
    own(rows[:3])
    assert own(rows) == [[one.id for one in rows[2:]]]


@pytest.mark.parametrize("change", ["rows", "maker"])
def test_other_rows_and_another_maker_have_shards_of_their_own(change):
    rows = [row(0), row(1)]
    own(rows)
    assert own(rows) == []
    other = [row(0), row(1, "moved")] if change == "rows" else rows
    assert len(own(other, "two" if change == "maker" else "one")) == 1


@pytest.mark.parametrize("missing", [(), (0,), (1, 2, 3), (7,), tuple(range(8))])
def test_shards_hold_the_same_scenes_whichever_are_missing(missing):
    rows = [row(number) for number in range(8) if number not in missing]
    grid = on_scene_grid(rows, lambda one: one.id.removesuffix("-p0"))
    assert [one for shard in grid for one in shard] == rows
    assert all(len({int(one.id[7:12]) // 2 for one in shard}) == 1 for shard in grid)
    assert len(grid) == len({int(one.id[7:12]) // 2 for one in rows})
