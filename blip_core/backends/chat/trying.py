"""Asking a busy server again: how often, after which pauses, for how long in all."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

ATTEMPTS = 6  # with pauses that double: a server that restarts has about a quarter of a minute
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0  # also of what a server asks for; rates are often counted by the minute
JITTER_S = 0.5  # at the most: rows that failed together do not come back together
BUDGET_S = 1_800.0  # for one question in all, pauses included

Pause = Callable[[float], None]


class Busy(Exception):
    """A server that may do better a moment later.

    Attributes:
        asked_wait_s: seconds that it asks for; 0 where it asks for none.
    """

    def __init__(self, asked_wait_s: float = 0.0) -> None:
        super().__init__(asked_wait_s)
        self.asked_wait_s = asked_wait_s


def tries(pause: Pause = time.sleep, attempts: int = ATTEMPTS) -> Retrying:
    """Call something again while it raises `Busy`; the last one is raised."""
    return Retrying(
        stop=stop_after_attempt(attempts) | stop_before_delay(BUDGET_S),
        wait=_wait,
        retry=retry_if_exception_type(Busy),
        sleep=pause,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    busy = state.outcome.exception() if state.outcome else None
    asked = busy.asked_wait_s if isinstance(busy, Busy) else 0.0
    doubling = wait_exponential_jitter(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=JITTER_S)
    return max(doubling(state), min(asked, LONGEST_PAUSE_S))


def asked_wait_s(retry_after: str) -> float:
    """Seconds that a `Retry-After` asks for, as number or date (RFC 9110, 10.2.3); 0 for anything else."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _seconds_until(retry_after)
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
