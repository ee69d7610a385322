"""How much stages may take: no shard is begun that is not covered, so that nothing made is thrown away."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from blip_core.errors import BudgetSpent

SECONDS_PER_HOUR = 3600.0


class Allowance:
    """What is left of hours and requests, and how many shards of each kind are whole.

    Args:
        hours: that may be worked from now on; 0 sets no limit.
        requests: that may be made, repeated ones among them; 0 sets no limit.
        clock: seconds that never go back.
    """

    def __init__(
        self, hours: float = 0.0, requests: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hours, self._requests, self._clock = hours, requests, clock
        self._end = clock() + hours * SECONDS_PER_HOUR
        self.asked = 0
        self.whole: dict[str, int] = {}

    def begin(self, requests: int = 0) -> None:
        """Ask whether one more shard may be begun, and take what it asks of a model off.

        Args:
            requests: that it makes at the least.

        Raises:
            BudgetSpent: The time is over, or so many requests are not left.
        """
        if self._hours and self._clock() >= self._end:
            raise BudgetSpent(f"the {self._hours:g} hours are over")
        if self._requests and self.asked + requests > self._requests:
            raise BudgetSpent(
                f"{self.asked:,} of {self._requests:,} requests are made, the next shard takes {requests:,}"
            )
        self.asked += requests

    def spend(self, requests: int) -> None:
        """Take requests off that were made beyond those that a shard makes at the least."""
        self.asked += max(0, requests)

    @property
    def is_spent(self) -> bool:
        """Whether the time is over, or no request is left."""
        late = self._hours > 0 and self._clock() >= self._end
        return late or (self._requests > 0 and self.asked >= self._requests)


_ALLOWANCE: ContextVar[Allowance] = ContextVar("allowance")


def allowance() -> Allowance:
    """What stages may take where this is called; without a limit unless `allowing` set one."""
    found = _ALLOWANCE.get(None)
    if found is None:
        found = Allowance()
        _ALLOWANCE.set(found)
    return found


@contextmanager
def allowing(limits: Allowance) -> Iterator[Allowance]:
    """Let stages inside take no more than is allowed."""
    token = _ALLOWANCE.set(limits)
    try:
        yield limits
    finally:
        _ALLOWANCE.reset(token)
