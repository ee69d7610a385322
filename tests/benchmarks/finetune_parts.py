"""What makes a tuning quick on a CPU, part by part, so that a benchmark can leave parts out."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import product
from unittest.mock import patch

from blip_core.modeling import features
from blip_core.training import tuning

PRODUCTS = ("quick_linears",)
DROPPING = ("quick_dropout", "quick_attention")
ELEMENTS = ("quick_elements", "quick_adapters")


@contextmanager
def plainly(parts: Sequence[str]) -> Iterator[None]:
    """Let tunings do without some of what makes them quick on a CPU, by its names in `training.tuning`."""
    with ExitStack() as stack:
        for place, part in product((tuning, features), parts):
            if hasattr(place, part):
                stack.enter_context(patch.object(place, part, lambda *model: nullcontext()))
        yield
