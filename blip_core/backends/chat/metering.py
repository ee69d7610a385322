"""What asking a server takes, and where it has to stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from blip_core.backends.chat.reply import Reply
from blip_core.errors import BudgetSpent
from blip_core.ports import Costs


class Meter:
    """Counts the requests of one client and bounds them, from any thread.

    Args:
        max_requests: that may be made; 0 sets no limit.
        max_seconds: in which they may be made; 0 sets no limit.
        field: of the recipe that sets the limits, for messages.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        max_requests: int = 0,
        max_seconds: float = 0.0,
        field: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_requests = max_requests
        self._max_seconds = max_seconds
        self._field = field
        self._clock = clock
        self._costs = Costs()
        self._sent = 0
        self._since: float | None = None
        self._lock = threading.Lock()

    @property
    def costs(self) -> Costs:
        """What was asked and answered so far."""
        with self._lock:
            return replace(self._costs, seconds=self._seconds())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time inside, during which requests are under way."""
        with self._lock:
            self._since = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._costs, self._since = replace(self._costs, seconds=self._seconds()), None

    def begin(self, *, is_repeated: bool) -> None:
        """Count a request that is about to be sent.

        Raises:
            BudgetSpent: It may not be sent any more.
        """
        with self._lock:
            self._refuse_beyond()
            self._sent += 1
            more = Costs(requests=1, repeated=int(is_repeated))
            self._costs += more

    def refuse_late(self) -> None:
        """Refuse to go on once the time is up.

        Raises:
            BudgetSpent: It is.
        """
        with self._lock:
            self._refuse_late()

    def remaining_s(self, most: float) -> float:
        """Seconds that are left, or as many as are asked for."""
        with self._lock:
            return min(most, max(self._max_seconds - self._seconds(), 0.0)) if self._max_seconds else most

    def answered(self, reply: Reply, *, is_kept: bool = False) -> None:
        """Count an answer; one that was kept by an earlier run was paid for by a request of that run."""
        with self._lock:
            self._costs += Costs(
                requests=int(is_kept),
                prompt_tokens=reply.prompt_tokens,
                written_tokens=reply.written_tokens,
                cut=int(reply.is_cut),
            )

    def _refuse_beyond(self) -> None:
        self._refuse_late()
        if self._max_requests and self._sent >= self._max_requests:
            raise BudgetSpent(self._words(f"{self._sent:,} requests were made", "max_requests"))

    def _refuse_late(self) -> None:
        if self._max_seconds and self._seconds() >= self._max_seconds:
            raise BudgetSpent(self._words(f"{self._max_seconds:,.0f} s were spent asking", "max_seconds"))

    def _words(self, spent: str, limit: str) -> str:
        return (
            f"{spent}, as many as {self._field}.{limit} allows in one run. What was answered is kept: run it "
            "again to go on, or raise the limit"
        )

    def _seconds(self) -> float:
        under_way = 0.0 if self._since is None else self._clock() - self._since
        return self._costs.seconds + under_way
