"""What a run shows while it works: lines and progress, which may neither hold it up nor break it."""

import logging
import threading
from types import SimpleNamespace

import pytest

from blip_core.errors import RecipeError
from flows.failures import failure_sentence, fit_to_be_seen
from flows.results.run_page import LONG_SECONDS, LatestPosts, RunPage, run_page

PATIENCE_SECONDS = 60.0


@pytest.fixture
def lines():
    return []


@pytest.fixture
def posted():
    return []


@pytest.fixture
def page(lines, posted):
    shown = RunPage(lambda level, text: lines.append((level, text)), lambda *state: posted.append(state))
    yield shown
    shown.close()


@pytest.fixture
def hours(monkeypatch):
    """A clock that says how long a stage has been at work."""
    now = [0.0]
    monkeypatch.setattr("flows.results.run_page.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_stage_says_that_it_begins_what_came_of_it_and_how_long_it_took(page, lines):
    page.begin("labels", cached=False)
    page.end("labels", 12.34, False, {"rows": 5, "asked": 8, "refused": {"no-answer": 3}})
    page.begin("dataset", cached=True)
    page.end("dataset", 0.01, True, {"rows": 5, "splits": {"train": 5}})
    assert lines == [
        (logging.INFO, "labels: begins"),
        (logging.INFO, "labels: 5 labels of 8 asked; refused 3 no-answer (12.3 s)"),
        (logging.INFO, "dataset: train 5 (cached)"),
    ]


def test_a_stage_that_fails_is_an_error(page, lines):
    page.begin("labels", cached=False)
    page.fail("labels")
    level, text = lines[-1]
    assert level == logging.ERROR
    assert text.startswith("labels: failed after")


def test_a_long_stage_shows_its_progress_and_ends_at_all_of_it(page, posted, hours):
    page.begin("predict finetuned", cached=False)
    hours[0] = 2 * LONG_SECONDS
    page.progress(50, 200)
    page.end("predict finetuned", 20.0, False, {"rows": 200})
    page.close()
    assert posted[-1][:2] == ("predict finetuned", 100.0)


def test_a_short_stage_and_one_that_counts_nothing_show_no_progress(page, posted, hours):
    page.begin("scenes", cached=False)
    page.progress(1, 2)
    page.end("scenes", 1.0, False, {"rows": 2})
    page.begin("compare", cached=False)
    hours[0] = 2 * LONG_SECONDS
    page.progress(1, 3)
    page.close()
    assert posted == []


def test_only_the_newest_state_is_posted_and_the_last_one_always():
    first_began, may_go_on, posted = threading.Event(), threading.Event(), []

    def post(name, percent, words):
        posted.append(percent)
        first_began.set()
        may_go_on.wait(PATIENCE_SECONDS)

    posts = LatestPosts(post, every_seconds=0.0)
    posts.offer("finetune", 0.0, "")
    assert first_began.wait(PATIENCE_SECONDS)
    for percent in range(1, 100):
        posts.offer("finetune", float(percent), "")
    may_go_on.set()
    posts.close(PATIENCE_SECONDS)
    assert posted == [0.0, 99.0]


def test_a_server_that_is_away_is_of_no_concern_to_the_run():
    def post(name, percent, words):
        raise ConnectionError("away")

    posts = LatestPosts(post, every_seconds=0.0)
    posts.offer("finetune", 1.0, "")
    posts.offer("finetune", 2.0, "")
    posts.close(PATIENCE_SECONDS)


def test_a_server_that_hangs_holds_a_finished_run_up_for_no_longer_than_told():
    hanging = threading.Event()
    posts = LatestPosts(lambda *_: hanging.wait(PATIENCE_SECONDS), every_seconds=0.0)
    posts.offer("finetune", 1.0, "")
    posts.close(0.01)
    assert not hanging.is_set()
    hanging.set()


def test_nothing_is_shown_of_what_runs_outside_a_flow():
    page = run_page()
    page.begin("scenes", cached=False)
    page.say("nobody reads this")
    page.close()


def record_of(error):
    return logging.LogRecord("prefect", logging.ERROR, "", 0, "failed", (), (type(error), error, None))


def test_the_trace_of_a_mistake_that_a_person_can_mend_is_left_out_and_no_other():
    mistake, bug = record_of(RecipeError("scenes.count is -1")), record_of(ZeroDivisionError())
    assert fit_to_be_seen(mistake)
    assert fit_to_be_seen(bug)
    assert mistake.exc_info is None
    assert bug.exc_info is not None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            RecipeError("scenes.count is -1; allowed: 1 to 100,000"),
            "scenes.count is -1; allowed: 1 to 100,000",
        ),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (None, "None"),
    ],
)
def test_a_failure_is_one_sentence(error, sentence):
    assert failure_sentence(error) == sentence
