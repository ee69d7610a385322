"""A clock that jumps: nothing that a run recorded is lost, doubled or waited for."""

import itertools
import time

import pytest

from blip_core.store import Store
from blip_core.tracking import JournalTracker, replay
from blip_core.tracking.journal import read_journal

DAY_NS = 24 * 3_600_000_000_000
LOSSES = [2.0, 1.5, 1.25, 1.0]


@pytest.fixture(params=["back", "forth", "back and forth", "still"])
def clock(request, monkeypatch):
    """Jumps a day with every look; what measures spans of time goes on as it should."""
    begin = time.time_ns()
    steps = {
        "back": itertools.count(begin, -DAY_NS),
        "forth": itertools.count(begin, DAY_NS),
        "back and forth": itertools.cycle([begin, begin - DAY_NS, begin + DAY_NS]),
        "still": itertools.repeat(begin),
    }[request.param]
    monkeypatch.setattr(time, "time_ns", lambda: next(steps))
    monkeypatch.setattr(time, "time", lambda: next(steps) / 1e9)


def record(tracker, name):
    run = tracker.start("clock", name, {})
    child = run.child(f"{name} stage")
    for step, loss in enumerate(LOSSES):
        child.metrics({"train/loss": loss}, step)
    child.finish()
    run.finish()
    return child


def test_every_step_arrives_once_and_in_order(clock, tracker, client, uri, tmp_path):
    sent = record(tracker, "sent")
    waiting = record(JournalTracker(tmp_path / "journal"), "waiting")
    assert replay(tmp_path / "journal", uri).left == 0
    assert replay(tmp_path / "journal", uri).entries == 0
    experiment = client.get_experiment_by_name("clock").experiment_id
    (late,) = client.search_runs([experiment], f"tags.`foundry.run` = '{waiting.id}'")
    for run_id in (sent.mlflow_id, late.info.run_id):
        history = client.get_metric_history(run_id, "train/loss")
        assert sorted((one.step, one.value) for one in history) == list(enumerate(LOSSES))
        assert client.get_run(run_id).info.status == "FINISHED"


def test_entries_of_a_journal_keep_their_order(clock, tmp_path):
    run = record(JournalTracker(tmp_path), "alone")
    numbers = [entry.number for entry in read_journal(tmp_path / f"{run.id}.jsonl")]
    assert numbers == list(range(len(LOSSES) + 2))


def test_what_the_store_holds_does_not_follow_the_clock(clock, tmp_path):
    store = Store(tmp_path)
    made = [
        store.publish(f"rows-{number}", "rows", lambda folder: {"rows": (folder / "a").write_text("x")})
        for number in range(3)
    ]
    assert [store.find(one.key) for one in made] == made
