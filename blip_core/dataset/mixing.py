"""Mixes datasets: rows of several sets in given shares, each in the split that it had."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple, Protocol

from blip_core.curation.near_duplicates import says
from blip_core.dataset.drawing import drawn as drawn_rows
from blip_core.errors import EmptyDataset
from blip_core.records import Example, Rejection, Split

STAGE = "dataset"
_HELD_OUT_FIRST: tuple[Split, ...] = ("test", "validation", "train")  # what judges is never learnt

Sets = Mapping[str, Mapping[Split, Sequence[Example]]]


class Looks(Protocol):
    """Pictures that were seen, and which of them a further one is like."""

    def add(self, row: Example) -> None: ...

    def like(self, row: Example) -> Sequence[int]:
        """Places of those that look like a row's, in the order in which they were added."""


class SameBytes:
    """Takes pictures for alike whose bytes are the same."""

    def __init__(self) -> None:
        self._places: dict[bytes, list[int]] = defaultdict(list)
        self._count = 0

    def add(self, row: Example) -> None:
        self._places[row.image].append(self._count)
        self._count += 1

    def like(self, row: Example) -> Sequence[int]:
        return self._places.get(row.image, [])


@dataclass(frozen=True, slots=True)
class Mixture:
    """Rows that were drawn of several sets.

    Attributes:
        examples: the rows, in id order.
        splits: row id -> the split that it had in its set.
        rejections: rows whose picture judges or watches elsewhere, or is there already and says the same.
        drawn: set -> split -> rows.
    """

    examples: list[Example]
    splits: dict[str, Split]
    rejections: list[Rejection]
    drawn: dict[str, dict[Split, int]]


def mix(sets: Sets, weights: Mapping[str, float], seed: int, looks: Looks | None = None) -> Mixture:
    """Draw rows without replacement, so that the shares are those of the weights.

    Each split is as large as its scarcest set allows. A row that several sets hold is kept once; one whose
    id means another row in another set goes by `SET-ID`. Neither the order of sets nor that of rows matters.

    Args:
        sets: name -> split -> rows.
        weights: name -> weight, above 0.
        seed: of the draw.
        looks: which pictures are alike; absent, those of the same bytes.

    Raises:
        EmptyDataset: A set has no row to learn that the others do not have.
    """
    parted, rejections = _part(sets, looks or SameBytes())
    examples: list[Example] = []
    splits: dict[str, Split] = {}
    drawn: dict[str, dict[Split, int]] = {name: {} for name in sorted(sets)}
    for split in _HELD_OUT_FIRST:
        rows = {name: parted[name][split] for name in sorted(sets)}
        counts = _counts(split, {name: len(found) for name, found in rows.items()}, weights)
        for name, found in rows.items():
            chosen = drawn_rows(found, counts[name], seed)
            examples += chosen
            splits |= dict.fromkeys((row.id for row in chosen), split)
            drawn[name][split] = len(chosen)
    return Mixture(sorted(examples, key=lambda row: row.id), splits, rejections, drawn)


def shares(available: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """How many rows each set gives: in proportion to the weights, to less than a row, as many as can be.

    Args:
        available: name -> rows that there are, above 0.
        weights: name -> weight, above 0.
    """
    exact = {name: Fraction(str(weights[name])) for name in sorted(available)}
    whole = sum(exact.values())
    rows = min(Fraction(available[name]) * whole / weight for name, weight in exact.items()) // 1
    quotas = {name: rows * weight / whole for name, weight in exact.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}
    largest_rest = sorted(quotas, key=lambda name: counts[name] - quotas[name])
    for name in largest_rest[: rows - sum(counts.values())]:
        counts[name] += 1
    return counts


def _counts(split: Split, available: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """Rows to draw; sets without any are passed over where nothing is learnt: few rows have all splits."""
    empty = [name for name, rows in available.items() if not rows]
    if empty and split == "train":
        raise EmptyDataset(
            f"the set {empty[0]} has no row to learn that the other sets of the mixture do not have; "
            "leave it out of rows, or bring more rows"
        )
    held = {name: rows for name, rows in available.items() if rows}
    return dict.fromkeys(available, 0) | (shares(held, weights) if held else {})


class _Taken(NamedTuple):
    row: Example
    set: str
    split: Split


def _part(sets: Sets, looks: Looks) -> tuple[dict[str, dict[Split, list[Example]]], list[Rejection]]:
    """Rows by set and split: each once, by a name of its own, none whose picture a stricter split holds.

    As in one set, rows about pictures that look alike stay in one split and do not say the same twice.
    """
    parted: dict[str, dict[Split, list[Example]]] = {name: {} for name in sets}
    rejections: list[Rejection] = []
    names = _Names()
    taken: list[_Taken] = []
    for split in _HELD_OUT_FIRST:
        for name in sorted(sets):
            parted[name][split] = []
            for row in sorted(sets[name][split], key=lambda one: one.id):
                refused = _refusal(_Taken(row, name, split), [taken[place] for place in looks.like(row)])
                if refused:
                    rejections.append(refused)
                    continue
                parted[name][split] += names.new(row, name)
                looks.add(row)
                taken.append(_Taken(row, name, split))
    return parted, rejections


def _refusal(new: _Taken, alike: Sequence[_Taken]) -> Rejection | None:
    """Why a row cannot join those whose pictures look like its own."""
    elsewhere = next((one for one in alike if one.split != new.split), None)
    if elsewhere:
        where = f"held out in the {elsewhere.split} split of {elsewhere.set}"
        seen = "its picture is" if elsewhere.row.image == new.row.image else "a picture like its own is"
        return Rejection(new.row.id, STAGE, "bridges-splits", f"{seen} {where}")
    others = [one for one in alike if one.set != new.set and one.row != new.row]
    twin = next((one for one in others if says(one.row) == says(new.row)), None)
    if twin:
        told = f"looks like {twin.row.id} of {twin.set} and says the same"
        return Rejection(new.row.id, STAGE, "near-duplicate", told)
    return None


class _Names:
    """Ids that are taken, and by what."""

    def __init__(self) -> None:
        self._rows: dict[str, Example] = {}
        self._pictures: dict[str, bytes] = {}

    def new(self, row: Example, set_name: str) -> Iterator[Example]:
        """The row, by a name of its own; nothing where it is there already."""
        if self._pictures.setdefault(row.picture_id, row.image) != row.image:
            row = replace(row, picture_id=f"{set_name}-{row.picture_id}", group=f"{set_name}-{row.group}")
        known = self._rows.get(row.id)
        if known == row:
            return
        if known:
            row = replace(row, id=f"{set_name}-{row.id}")
        self._rows[row.id] = row
        yield row
