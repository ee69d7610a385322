"""Numbers that are numbers: NaN and infinity are refused where they arise, before anything is made of them.

NaN is neither less nor more than any number, so that the largest of some NaN is the first one: what is not
refused here answers A.
"""

from collections.abc import Mapping
from math import isfinite

from blip_core.errors import NotANumber


def check_finite(where: str, numbers: Mapping[str, float | None]) -> None:
    """Refuse numbers that are none.

    Args:
        where: what they belong to, in words.
        numbers: by name; None stands for a number that is not there, and passes.

    Raises:
        NotANumber: The first that is NaN or infinite.
    """
    for name, number in numbers.items():
        if number is not None and not isfinite(number):
            raise NotANumber(f"{where}: {name} is {number}, where a number is needed")
