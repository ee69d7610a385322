"""Workers only for what is worth their start."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from blip_core.execution.port import Act, Executor, WorkItem
from blip_core.execution.serial import Serial

LEAST_ITEMS = 2  # a worker takes seconds to begin, as long as a small part of an item


class Sparing:
    """An executor that works one item in this process, and leaves more of them to workers; see `Executor`.

    Args:
        employ: gives the workers; called when they are first worth it.
    """

    def __init__(self, employ: Callable[[], Executor]) -> None:
        self._employ = employ
        self._workers: Executor | None = None

    def work(
        self, act: Act, items: Iterator[WorkItem], tell: Callable[[int, int, int], None]
    ) -> Iterator[Mapping[str, Any]]:
        """See `Executor`; once there are workers, they work all."""
        if self._workers is None:
            seen, items = _ahead(items)
            if len(seen) < LEAST_ITEMS or seen[-1].rows * 2 < seen[0].rows:
                yield from Serial().work(act, items, tell)
                return
            self._workers = self._employ()
        yield from self._workers.work(act, items, tell)

    def close(self) -> None:
        """End the workers, if there are any."""
        if self._workers is not None:
            self._workers.close()


def _ahead(items: Iterator[WorkItem]) -> tuple[list[WorkItem], Iterator[WorkItem]]:
    """The first items, as many as decide, and all of them; an error waits for its turn."""
    seen: list[WorkItem] = []
    try:
        for item in islice(items, LEAST_ITEMS):
            seen.append(item)
    except Exception as error:  # noqa: BLE001 - raised where it would have been
        return seen, chain(seen, _raising(error))
    return seen, chain(seen, items)


def _raising(error: Exception) -> Iterator[WorkItem]:
    raise error
    yield
