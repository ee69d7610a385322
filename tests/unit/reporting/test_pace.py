import pytest

from blip_core.reporting.pace import Pace, duration_words, progress_words


class Clock:
    """Tells the seconds it was set to."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


def rates(clock, reports):
    pace = Pace(clock)
    found = []
    for clock.seconds, done in reports:
        found.append(pace.add(done))
    return found


def test_the_pace_is_known_after_a_second(clock):
    assert rates(clock, [(100.0, 1), (100.5, 2), (102.5, 6)]) == [None, None, 2.0]


def test_what_was_done_before_a_run_went_on_is_no_pace(clock):
    assert rates(clock, [(5.0, 500), (5.01, 1000), (15.01, 1020)]) == [None, None, 2.0]


def test_the_last_minute_counts(clock):
    quick = [(float(second), 10 * second) for second in range(100)]
    slow = [(100.0 + second, 1000 + second) for second in range(70)]
    assert rates(clock, quick + slow)[-1] == 1.0


def test_a_stage_that_stands_still_has_no_pace(clock):
    assert rates(clock, [(0.0, 5), (2.0, 5)]) == [None, None]


def test_few_points_are_kept_of_many_reports(clock):
    pace = Pace(clock)
    for report in range(50_000):
        clock.seconds = report / 100
        pace.add(report)
    assert len(pace._points) <= 63


@pytest.mark.parametrize(
    ("done", "total", "unit", "rate", "words"),
    [
        (312, 2080, "rows", 41.2, "312/2,080 rows · 41 rows/s · 43 s left"),
        (50, 104, "steps", 0.25, "50/104 steps · 0.2 steps/s · 3 min 36 s left"),
        (104, 104, "steps", 0.25, "104/104 steps · 0.2 steps/s"),
        (1, 104, "steps", None, "1/104 steps"),
        (1, 3, "", 0.5, "1/3"),
        (1500, 0, "rows", 41.2, "1,500 rows · 41 rows/s"),
    ],
)
def test_progress_tells_count_pace_and_time_left(done, total, unit, rate, words):
    assert progress_words(done, total, unit, rate) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59.1, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_told_in_the_units_that_people_use(seconds, words):
    assert duration_words(seconds) == words
