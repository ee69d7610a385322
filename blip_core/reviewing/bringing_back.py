"""Rows that gates refused and people keep: which split they go to, so that nothing that judges is learnt."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from blip_core.curation.near_duplicates import LooksAlike
from blip_core.dataset.finding import read_column
from blip_core.dataset.mixing import Looks, SameBytes
from blip_core.dataset.reading import split_files, splits_there
from blip_core.dataset.splits import split_of
from blip_core.recipes import Dataset
from blip_core.recipes.curation import NearDuplicates
from blip_core.records import Example, Rejection, Split
from blip_core.store import iter_rows

SPLITTING = "splitting"  # of a dataset's metadata
STAGE = "dataset"
BRIDGES = "bridges-splits"


@dataclass(frozen=True, slots=True)
class Splitting:
    """How the rows of a dataset came into their splits.

    Attributes:
        dataset: shares of the splits.
        near_duplicates: which pictures were taken for alike.
    """

    dataset: Dataset = field(default_factory=Dataset)
    near_duplicates: NearDuplicates = field(default_factory=NearDuplicates)

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self:
        """As a dataset's metadata say; where they do not, as recipes have it unless they say otherwise."""
        told = metadata.get(SPLITTING)
        if not isinstance(told, Mapping):
            return cls()
        return cls(
            Dataset.model_validate(told["dataset"]), NearDuplicates.model_validate(told["near_duplicates"])
        )

    def split_of(self, group: str) -> Split:
        """Split of a group that no other row is in."""
        return split_of(group, self.dataset.validation_share, self.dataset.test_share, self.dataset.fold)

    def looks(self) -> Looks:
        """Which pictures are alike; those of the same bytes alone where that gate was off."""
        return LooksAlike(self.near_duplicates) if self.near_duplicates.enabled else SameBytes()


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """Rows that come back into a dataset.

    Attributes:
        splits: those that do, by the split they go to, each in id order.
        bridges: those that cannot, since a picture like theirs is in another split.
    """

    splits: Mapping[Split, Sequence[Example]] = field(default_factory=dict)
    bridges: Sequence[Rejection] = ()


def bring_back(rows: Iterable[Example], dataset: Path, splitting: Splitting) -> BroughtBack:
    """Find the split of rows that gates refused: that of their group, and of pictures that look like theirs.

    Args:
        rows: that come back, as they will be.
        dataset: that they come back into; its pictures are looked at only where there are such rows.
        splitting: of that dataset.
    """
    waiting = sorted(rows, key=lambda row: row.id)
    if not waiting:
        return BroughtBack()
    seen = _Seen(splitting)
    for split in splits_there(dataset):
        for path in split_files(dataset, split):
            for row in iter_rows(path, Example):
                seen.add(row, split)
    back: dict[Split, list[Example]] = defaultdict(list)
    bridges: list[Rejection] = []
    for row in waiting:
        found = seen.splits_for(row)
        if len(found) > 1:
            named = " and ".join(sorted(found))
            bridges.append(Rejection(row.id, STAGE, BRIDGES, f"pictures like its own are in {named}"))
            continue
        (split,) = found
        seen.add(row, split)
        back[split].append(row)
    return BroughtBack(back, bridges)


class Returning:
    """Rows of one split that come back, dealt out among its files so that ids stay in order.

    Args:
        rows: in id order.
    """

    def __init__(self, rows: Sequence[Example]) -> None:
        self._waiting = deque(rows)

    def of_file(self, path: Path, is_last: bool) -> list[Example]:
        """Those whose place is in a file, the next of its split; the last one takes all that are left."""
        if not self._waiting:
            return []
        highest = max(read_column(path, "id"), default="")
        found: list[Example] = []
        while self._waiting and (is_last or self._waiting[0].id < highest):
            found.append(self._waiting.popleft())
        return found


class _Seen:
    """Rows that are there, by group and by how their pictures look."""

    def __init__(self, splitting: Splitting) -> None:
        self._splitting = splitting
        self._looks = splitting.looks()
        self._places: list[Split] = []
        self._of_group: dict[str, Split] = {}

    def add(self, row: Example, split: Split) -> None:
        self._looks.add(row)
        self._places.append(split)
        self._of_group[row.group] = split

    def splits_for(self, row: Example) -> set[Split]:
        own = self._of_group.get(row.group) or self._splitting.split_of(row.group)
        return {own, *(self._places[place] for place in self._looks.like(row))}
