"""What is sent when a run begins: what earlier ones left, briefly, and never to the harm of the new run."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from blip_core.tracking import JournalTracker, MlflowTracker, artifact_root, replay
from blip_core.tracking.cursor import cursor_path, delivered_runs
from blip_core.tracking.destination import Destination, find_or_create_run
from blip_core.tracking.replaying import DAMAGED, Replayed

METRICS = {"eval/accuracy": 0.5}
ENTRIES = 3  # start, metrics, finish


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


def leave_behind(folder, name="left"):
    """Record a run whose MLflow was away; gives its journal."""
    run = JournalTracker(folder).start("gallery", name, {})
    run.metrics(METRICS)
    run.finish()
    return folder / f"{run.id}.jsonl"


def stored(client, journal):
    experiment = client.get_experiment_by_name("gallery").experiment_id
    return client.search_runs([experiment], f"tags.`foundry.run` = '{journal.stem}'")


def test_what_was_missed_is_sent_once(tracker, client, folder):
    journal = leave_behind(folder)
    assert tracker.catch_up() == Replayed(runs=1, entries=ENTRIES)
    assert tracker.catch_up() == Replayed()
    (run,) = stored(client, journal)
    assert run.data.metrics == METRICS


def test_a_run_that_was_delivered_whole_is_never_opened_again(tracker, folder):
    run = tracker.start("gallery", "whole", {})
    run.finish()
    journal = folder / f"{run.id}.jsonl"
    journal.write_text("whoever reads this stumbles\n")
    assert tracker.catch_up() == Replayed()
    assert journal.exists()


def test_a_run_delivered_before_there_was_a_list_is_put_on_it(tracker, uri, folder):
    journal = leave_behind(folder)
    replay(folder, uri)
    for path in folder.glob("delivered-*.txt"):
        path.unlink()
    assert tracker.catch_up() == Replayed()
    assert delivered_runs(folder, uri) == {journal.stem}


def test_nothing_is_done_while_another_process_is_at_it(tracker, folder):
    leave_behind(folder)
    with FileLock(folder / "replay.lock"):
        assert tracker.catch_up() == Replayed()
    assert tracker.catch_up().entries == ENTRIES


def test_a_damaged_journal_is_put_aside_and_the_rest_is_sent(tracker, client, folder):
    damaged, sound = leave_behind(folder), leave_behind(folder)
    damaged.write_bytes(damaged.read_bytes().replace(b"{", b"\0", 1))
    assert tracker.catch_up().runs == 1
    assert not damaged.exists()
    assert damaged.with_suffix(DAMAGED).exists()
    assert len(stored(client, sound)) == 1


def test_a_child_outlives_the_loss_of_its_parents_journal(tracker, client, folder):
    run = JournalTracker(folder).start("gallery", "lost", {})
    child = run.child("finetuned")
    child.finish()
    run.finish()
    (folder / f"{run.id}.jsonl").unlink()
    assert tracker.catch_up().runs == 1
    assert len(stored(client, folder / f"{child.id}.jsonl")) == 1


def test_an_unreadable_cursor_means_sending_again_and_adds_nothing(tracker, client, folder):
    journal = leave_behind(folder)
    tracker.catch_up()
    cursor_path(journal).write_text("")
    for path in folder.glob("delivered-*.txt"):
        path.unlink()
    assert tracker.catch_up().entries == ENTRIES
    (run,) = stored(client, journal)
    assert [metric.value for metric in client.get_metric_history(run.info.run_id, "eval/accuracy")] == [0.5]


def test_processes_that_register_one_run_at_once_make_one(uri, home, folder):
    journal = leave_behind(folder)
    places = [Destination(uri, artifact_root(home)) for _ in range(4)]
    with ThreadPoolExecutor(len(places)) as pool:
        ids = list(pool.map(lambda place: find_or_create_run(place, journal), places))
    assert len(set(ids)) == 1


def test_a_server_that_is_away_is_asked_once(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    leave_behind(folder)
    leave_behind(folder)
    done = MlflowTracker("http://127.0.0.1:9", folder).catch_up()  # nobody serves that port
    assert done == Replayed(left=ENTRIES)


def test_starting_runs_are_not_disturbed_by_somebody_who_looks(tracker, folder):
    """A look locks a journal for a moment; a run that is just opening its own must not meet that lock."""
    starting = JournalTracker(folder)

    def look():
        return [tracker.catch_up() for _ in range(20)]

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        runs = [starting.start("gallery", "starts", {}) for _ in range(100)]
        looking.result()
    for run in runs:
        run.finish()
