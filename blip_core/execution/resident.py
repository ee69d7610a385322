"""What a worker is, whether process or actor: it keeps open what an act needs, for all its items."""

import importlib
from collections.abc import Callable
from contextlib import ExitStack

from blip_core.errors import StageFailure
from blip_core.execution.messages import Message, failure_of
from blip_core.execution.port import Open, Work

Say = Callable[[Message], None]


class Resident:
    """Follows one order after the other.

    Args:
        say: takes messages to whoever asked.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._opened = ExitStack()
        self._work: Work | None = None

    def follow(self, order: Message) -> None:
        """Open, work or close; what goes wrong with an item is told, not raised."""
        try:
            if "act" in order:
                self._open(order["act"])
            if "item" in order:
                self._say({"result": self._do(order["item"])})
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            if "item" in order:  # to what is only closed nobody listens
                self._say(failure_of(error))

    def close(self) -> None:
        """Close what is open."""
        self._work = None
        self._opened.close()

    def _open(self, act: Message | None) -> None:
        self.close()
        if act is not None:
            self._work = self._opened.enter_context(named(act["function"])(act["job"]))

    def _do(self, item: Message) -> Message:
        if self._work is None:
            raise StageFailure("a worker was sent an item before it was told what to do with it")
        return self._work(item, lambda done, of: self._say({"done": done, "of": of}))


def named(function: str) -> Open:
    """The function that goes by `module:function`.

    Raises:
        StageFailure: There is none of that name here.
    """
    module, _, name = function.partition(":")
    try:
        found: Open = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StageFailure(
            f"a worker finds no {function}: {error}; it needs the same version of this package as the run"
        ) from error
    return found
