"""How fast a stage goes, and how long it will take."""

import math
from collections import deque
from collections.abc import Callable

Clock = Callable[[], float]

_WINDOW_SECONDS = 60.0  # stages change their pace: describing is slower than answering
_POINT_SECONDS = 1.0


class Pace:
    """Follows what is done over the last minute.

    What is reported within the first second counts for nothing: a run that goes on finds it done.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock()
        self._points: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> float | None:
        """Note how much is done; gives how much is done a second, None as long as that is unknown."""
        now = self._clock()
        if not self._points:
            self._began = now
        if now - self._began < _POINT_SECONDS:
            self._points.clear()
            self._points.append((now, done))
            return None
        since, before = self._points[0]
        rate = (done - before) / (now - since)
        self._note(now, done)
        return rate if rate > 0 else None

    def _note(self, now: float, done: int) -> None:
        if now - self._points[-1][0] >= _POINT_SECONDS:
            self._points.append((now, done))
        while len(self._points) > 2 and now - self._points[1][0] > _WINDOW_SECONDS:
            self._points.popleft()


def progress_words(done: int, total: int, unit: str, rate: float | None) -> str:
    """Such as `312/2,080 rows · 41 rows/s · 43 s left`; a stage without a unit has no pace worth telling.

    Args:
        done: how many are done.
        total: of how many; 0 where nobody knows.
        unit: what is counted; may be empty.
        rate: done a second; None where it is unknown.
    """
    whole = f"/{total:,}" if total else ""
    counted = f"{done:,}{whole} {unit}".rstrip()
    if not unit or rate is None:
        return counted
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    parts = [counted, f"{shown} {unit}/s"]
    if done < total:
        parts.append(f"{duration_words((total - done) / rate)} left")
    return " · ".join(parts)


def duration_words(seconds: float) -> str:
    """Such as `43 s`, `3 min 20 s` or `2 h 05 min`; rounded up."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
