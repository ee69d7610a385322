"""What whoever has work to share out needs to know of an executor."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Tell = Callable[[int, int], None]
"""Told so much done, of so much, while an item is worked."""

Work = Callable[[Mapping[str, Any], Tell], Mapping[str, Any]]
"""Works one item, told and answered as JSON values."""

Open = Callable[[Mapping[str, Any]], AbstractContextManager[Work]]
"""What an act names: opens what its items need, models above all, and closes it behind the last one."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done with every item.

    Attributes:
        function: an `Open` as `module:function`, found by whoever works.
        job: what it is called with, as JSON values.
    """

    function: str
    job: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One piece of work, small enough to be done again.

    Attributes:
        name: for people.
        told: gives what a worker is told of it, as JSON values; called when it is sent.
        here: does the same in this process.
        rows: how much work it is, beside others of its kind.
    """

    name: str
    told: Callable[[], Mapping[str, Any]]
    here: Callable[[Tell], Mapping[str, Any]]
    rows: int = 1


class Executor(Protocol):
    """Works items, in whatever order, and gives what came of them in theirs."""

    def work(
        self, act: Act, items: Iterator[WorkItem], tell: Callable[[int, int, int], None]
    ) -> Iterator[Mapping[str, Any]]:
        """Work items; what came of them is given in their order, as soon as it is there.

        Items are taken one at a time, when somebody is free to work one. If taking one fails, or working one,
        what is under way is finished, then the error raised.

        Args:
            act: what is done with them.
            items: asked for one by one.
            tell: told the number of an item in its order, how much of it is done, of how much.

        Raises:
            StageFailure: An item ended three workers, or none can be started.
        """

    def close(self) -> None:
        """End all workers."""
