"""One item after the other, in this process."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from blip_core.execution.port import Act, WorkItem


class Serial:
    """See `Executor`."""

    def work(
        self, act: Act, items: Iterator[WorkItem], tell: Callable[[int, int, int], None]
    ) -> Iterator[Mapping[str, Any]]:
        """Work items where they are asked for; what was opened here serves them all."""
        del act
        for number, item in enumerate(items):
            yield item.here(partial(tell, number))

    def close(self) -> None:
        """There is nobody to end."""
