"""How far reviewers agree beyond chance: Cohen's kappa (Cohen 1960) of a pair, over rows both decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from blip_core.annotating.decisions import Decision, Decisions, is_mended


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of two reviewers.

    Attributes:
        first: name of one.
        second: name of the other.
        rows: that both decided.
        same: how many of these alike: kept, mended or dropped.
        kappa: -1 to 1, 0 where they agree as often as chance would have it; None where chance alone, both
            saying one and the same of everything, makes them agree.
    """

    first: str
    second: str
    rows: int
    same: int
    kappa: float | None


def agreements(files: Mapping[str, Decisions]) -> list[Agreement]:
    """The agreement of each pair of reviewers, by their names."""
    return [
        _agreement(one, other, files[one].by_id, files[other].by_id)
        for one, other in combinations(sorted(files), 2)
    ]


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance over what two people said of the same things; None where it is not defined."""
    total = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(first[name] * second[name] for name in first)
    if by_chance == total * total:  # also where there is nothing to agree on
        return None
    seen = sum(one == other for one, other in pairs) / total
    expected = by_chance / (total * total)
    return (seen - expected) / (1 - expected)


def said(one: Decision) -> str:
    """What a decision comes to: `keep`, `mend` or `drop`."""
    return "mend" if is_mended(one) else str(one["decision"])


def _agreement(
    one: str, other: str, first: Mapping[str, Decision], second: Mapping[str, Decision]
) -> Agreement:
    both = sorted(first.keys() & second.keys())
    pairs = [(said(first[name]), said(second[name])) for name in both]
    same = sum(left == right for left, right in pairs)
    return Agreement(one, other, len(pairs), same, cohens_kappa(pairs))
