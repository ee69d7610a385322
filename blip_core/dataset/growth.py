"""How far a dataset is to grow: whole steps of scenes, until what was asked for is there.

A version is known by how many scenes it asks for, so that it hangs on nothing that went before it: grown in
three runs or in one, it is the same. Of all lengths growth takes the shortest that has reached its target.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, isfinite

from blip_core.errors import RecipeError, StageFailure

MOST_LENGTHS = 1_000  # tried in one growth; each is at least one step longer than a length that was too short


@dataclass(frozen=True, slots=True)
class Target:
    """When a growth ends: when all that is asked for is there, or a budget is spent. 0 asks for nothing.

    Attributes:
        rows: in all.
        more: rows beyond those of the last version.
        balance: rows of the rarest answer letter and of the rarest category, over those of the commonest;
            0 to 1.
        hours: that may be worked.
        requests: that may be made of the models that write scenes and labels.
    """

    rows: int = 0
    more: int = 0
    balance: float = 0.0
    hours: float = 0.0
    requests: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isfinite(value) or value < 0 or (name == "balance" and value > 1):
                allowed = "a number from 0 to 1" if name == "balance" else "0 or more"
                raise RecipeError(f"{name} is {value}; allowed: {allowed}")
        if self.rows and self.more:
            raise RecipeError(
                f"rows is {self.rows} and more is {self.more}: name how many rows there shall be in all, or "
                "how many more than now"
            )

    @property
    def is_set(self) -> bool:
        """Whether anything is asked for."""
        return self != Target()

    @property
    def is_bounded(self) -> bool:
        """Whether it ends by what is there, rather than by a budget alone."""
        return bool(self.rows or self.more or self.balance)

    def beyond(self, rows: int) -> "Target":
        """The same for a dataset that has so many rows: `more` is told as `rows`."""
        total = rows + self.more if self.more else self.rows
        return Target(total, 0, self.balance, self.hours, self.requests)

    def is_reached(self, grown: "Grown") -> bool:
        """Whether a dataset has all that is asked for."""
        return self.is_bounded and grown.rows >= self.rows and grown.balance >= self.balance


@dataclass(frozen=True, slots=True)
class Grown:
    """What a length came to.

    Attributes:
        steps: of scenes that were asked for.
        rows: that passed the gates.
        balance: see `Target`.
        by_step: rows of the first steps, in all: how many there would have been with fewer.
    """

    steps: int
    rows: int
    balance: float
    by_step: Sequence[int] = ()


def evenness(counts: Mapping[str, int]) -> float:
    """The rarest over the commonest, 0 to 1; 1 where there is one kind, or none."""
    return min(counts.values()) / max(counts.values()) if counts else 1.0


def balance_of(letters: Iterable[str], categories: Iterable[str]) -> float:
    """How even letters and categories are, whichever is less; rows without a letter have no part in it."""
    by_letter = Counter(letter for letter in letters if letter)
    return min(evenness(by_letter), evenness(Counter(categories)))


def rows_by_step(scenes: Iterable[int], step: int, steps: int) -> list[int]:
    """How many rows the first 1, 2, ... steps hold, in all.

    Args:
        scenes: number of each row's scene.
        step: scenes in a step.
        steps: that there are.
    """
    own = Counter(scene // step for scene in scenes)
    totals, total = [], 0
    for number in range(steps):
        total += own[number]
        totals.append(total)
    return totals


def shortest(
    target: Target,
    make: Callable[[int], Grown],
    last: Grown,
    per_step: float,
) -> Grown:
    """Make lengths until the shortest that has reached a target is found.

    Args:
        target: that ends by what is there, see `Target.is_bounded`.
        make: makes a dataset of so many steps; what is there already is not made again.
        last: what there is: it has not reached the target. Steps and rows are 0 where there is nothing.
        per_step: rows that a step gives at the most, for the first guess where there is nothing.

    Raises:
        StageFailure: The target stays out of reach.
    """
    short, enough = last, None
    for _ in range(MOST_LENGTHS):
        steps = _next_length(target, short, enough, per_step)
        if enough is not None and steps == enough.steps:
            return enough
        found = make(steps)
        if target.is_reached(found):
            enough = found
        else:
            short = found if found.steps > short.steps else short
    raise StageFailure(
        f"{short.steps} steps gave {short.rows} rows with a balance of {short.balance:.2f}, and more steps "
        f"do not reach {target.rows} rows with {target.balance:g}: lower the target, or mend the recipe"
    )


def _next_length(target: Target, short: Grown, enough: Grown | None, per_step: float) -> int:
    """Steps to be tried next; those of `enough`, if no shorter length can do."""
    if enough is not None:
        least = bisect_left(enough.by_step, target.rows) + 1 if enough.by_step else enough.steps
        first = least if not target.balance else short.steps + 1
        return min(enough.steps, max(short.steps + 1, first))
    gained = short.rows / short.steps if short.steps else per_step
    missing = ceil((target.rows - short.rows) / gained) if gained else 1
    return short.steps + max(1, missing)
