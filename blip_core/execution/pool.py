"""Workers that share items out among themselves, are replaced when they die, and give up what kills them."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from blip_core.errors import StageFailure
from blip_core.execution.messages import Message, error_of
from blip_core.execution.port import Act, WorkItem

DEATHS = 3  # of workers, after which an item is given up, or none of which ever began
_POLL_SECONDS = 0.5


class Worker(Protocol):
    """A process or actor that follows one order at a time."""

    name: str

    def send(self, order: Message) -> None:
        """Give it an order; if it is dead this shows when it is heard."""

    def end(self) -> str:
        """End it at once, whatever it does; how it ended, for people, if it had ended already."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one worker said; no message, that it is gone."""

    worker: Worker
    message: Message | None


class Launcher(Protocol):
    """Where workers are started and heard."""

    def start(self, number: int) -> Worker:
        """Start the worker of a number; it is ready once it says so."""

    def hear(self, seconds: float) -> list[Heard]:
        """What workers said meanwhile; waits so long at the most."""

    def close(self) -> None:
        """End whatever is left."""


@dataclass(slots=True)
class _Place:
    """One worker's place, and what it is at."""

    number: int
    worker: Worker
    is_ready: bool = False
    act: Act | None = None
    item: int | None = None
    due: float = 0.0


class Pool:
    """An executor of so many workers, which stay for later acts; see `Executor`.

    Args:
        launcher: starts and hears them.
        workers: how many at the most; no more are started than there are items.
        deadline_seconds: for one item; who takes longer is ended.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        launcher: Launcher,
        workers: int,
        deadline_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._launcher = launcher
        self._workers = workers
        self._deadline = deadline_seconds
        self._clock = clock
        self._places: list[_Place] = []
        self._never_began = 0

    def work(
        self, act: Act, items: Iterator[WorkItem], tell: Callable[[int, int, int], None]
    ) -> Iterator[Mapping[str, Any]]:
        """See `Executor`."""
        shift = _Shift(items, tell)
        try:
            while self._share_out(act, shift):
                for heard in self._launcher.hear(_POLL_SECONDS):
                    self._take_in(heard, shift)
                self._end_late(shift)
                yield from shift.in_order()
            if shift.error is not None:
                raise shift.error
        finally:
            self._leave()

    def close(self) -> None:
        """End all workers."""
        for place in self._places:
            place.worker.end()
        self._places.clear()
        self._launcher.close()

    def _share_out(self, act: Act, shift: "_Shift") -> bool:
        """Give everybody who is free an item; whether anything is still to be heard."""
        for place in [one for one in self._places if one.is_ready and one.item is None]:
            if (number := shift.next()) is None:
                break
            self._give(place, act, number, shift)
        while len(self._places) < self._workers and shift.waiting_beyond(self._free()):
            number = len(self._places)
            self._places.append(_Place(number, self._launcher.start(number)))
        return any(place.item is not None for place in self._places) or shift.is_waiting

    def _free(self) -> int:
        return sum(place.item is None for place in self._places)

    def _give(self, place: _Place, act: Act, number: int, shift: "_Shift") -> None:
        opening = {} if place.act is act else {"act": {"function": act.function, "job": act.job}}
        place.act, place.item, place.due = act, number, self._clock() + self._deadline
        place.worker.send({**opening, "item": shift.told(number)})

    def _take_in(self, heard: Heard, shift: "_Shift") -> None:
        place = next((one for one in self._places if one.worker is heard.worker), None)
        if place is None:
            return
        if heard.message is None:
            self._replace(place, shift, place.worker.end())
        elif "ready" in heard.message:
            place.is_ready, self._never_began = True, 0
        elif place.item is None:
            return
        elif "done" in heard.message:
            shift.tell(place.item, heard.message["done"], heard.message["of"])
        else:
            if "failed" in heard.message:
                shift.fail(error_of(heard.message["failed"], place.worker.name))
            else:
                shift.finish(place.item, heard.message["result"])
            place.item = None

    def _end_late(self, shift: "_Shift") -> None:
        late = [one for one in self._places if one.item is not None and self._clock() > one.due]
        for place in late:
            place.worker.end()
            self._replace(place, shift, f"was ended after {self._deadline / 60:g} minutes")

    def _replace(self, place: _Place, shift: "_Shift", how: str) -> None:
        """Put another worker in the place of one that is gone; what it was at is worked anew."""
        self._places.remove(place)
        if place.item is not None:
            shift.lose(place.item, f"{place.worker.name} {how}")
        elif not place.is_ready:
            self._never_began += 1
            if self._never_began >= DEATHS:
                said = f"{place.worker.name} {how}"
                shift.fail(StageFailure(f"{DEATHS} workers ended before they began; the last, {said}"))
        if shift.is_waiting:
            self._places.append(_Place(place.number, self._launcher.start(place.number)))

    def _leave(self) -> None:
        """Close what is open at the end of an act; who is still at work then is ended."""
        busy = [place for place in self._places if place.item is not None]
        for place in busy:
            place.worker.end()
            self._places.remove(place)
        for place in self._places:
            if place.act is not None:
                place.worker.send({"act": None})
                place.act = None


class _Shift:
    """The items of one act: those that wait, those under way, and what came of them."""

    def __init__(self, items: Iterator[WorkItem], tell: Callable[[int, int, int], None]) -> None:
        self._items = items
        self.tell = tell
        self.error: Exception | None = None
        self._taken = 0
        self._given = 0
        self._is_over = False
        self._at_hand: deque[int] = deque()
        self._under_way: dict[int, WorkItem] = {}
        self._deaths: Counter[int] = Counter()
        self._results: dict[int, Mapping[str, Any]] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether an item waits for a worker."""
        return self.error is None and self.waiting_beyond(0)

    def waiting_beyond(self, count: int) -> bool:
        """Whether more items wait than so many; takes no more of them than that takes."""
        while self.error is None and not self._is_over and len(self._at_hand) <= count:
            self._take()
        return self.error is None and len(self._at_hand) > count

    def next(self) -> int | None:
        """Number of an item to be worked; None where there is none."""
        return self._at_hand.popleft() if self.waiting_beyond(0) else None

    def told(self, number: int) -> Mapping[str, Any]:
        return self._under_way[number].told()

    def finish(self, number: int, result: Mapping[str, Any]) -> None:
        del self._under_way[number]
        self._results[number] = result

    def fail(self, error: Exception) -> None:
        """Give nothing more out; the first error is raised."""
        self.error = self.error or error

    def lose(self, number: int, how: str) -> None:
        """Let an item be worked anew whose worker is gone."""
        self._deaths[number] += 1
        if self._deaths[number] < DEATHS:
            self._at_hand.appendleft(number)
            return
        self.fail(
            StageFailure(
                f"{self._under_way[number].name} ended {DEATHS} workers; the last, {how}; what is "
                "finished is kept, and the next run begins with what is missing"
            )
        )

    def in_order(self) -> Iterator[Mapping[str, Any]]:
        """What came of the items that are next in order."""
        while self._given in self._results:
            yield self._results.pop(self._given)
            self._given += 1

    def _take(self) -> None:
        try:
            item = next(self._items, None)
        except Exception as error:  # noqa: BLE001 - raised once what is under way is finished
            self.fail(error)
            return
        if item is None:
            self._is_over = True
            return
        self._under_way[self._taken] = item
        self._at_hand.append(self._taken)
        self._taken += 1
