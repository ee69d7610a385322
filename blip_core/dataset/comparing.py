"""What parts two datasets: rows added, removed, changed or moved, and how far their shares have drifted."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blip_core.dataset.reading import DATA
from blip_core.errors import TableError
from blip_core.ports import Embedder
from blip_core.records import SPLITS, Example, Split
from blip_core.store import canonical_json, iter_rows

EMBEDDED_ROWS = 2_000  # of each set; the mean of so many unit vectors is known to about 0.02
MEASURED = ("letters", "kinds", "categories")


class Mark(NamedTuple):
    """What a row is known by without its picture: its split, digest, answer letter, kind and category."""

    split: Split
    digest: str
    letter: str
    kind: str
    category: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the shares of one thing lie apart in two sets of rows.

    Attributes:
        of: `letters`, `kinds` or `categories`.
        before: rows by value in the first set.
        after: rows by value in the second.
        distance: total variation, half the sum of differences of shares: 0 for equal, 1 for disjoint sets.
        p: of Pearson's chi-square test that both were drawn alike; 1 where there is nothing to tell apart.
    """

    of: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    distance: float
    p: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What parts a second dataset from a first.

    Attributes:
        before: rows of the first.
        after: rows of the second.
        added: ids that the second has alone.
        removed: ids that the first has alone.
        changed: ids of both whose rows differ.
        moved: ids of both that lie in another split.
        drifts: by letters, kinds and categories. Where the second extends the first, its new rows are
            compared with the first's: all of them would hide in the mean what is new.
    """

    before: int
    after: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    moved: tuple[str, ...]
    drifts: tuple[Drift, ...]

    @property
    def extends(self) -> bool:
        """Whether the first is contained in the second, row by row and split by split."""
        return not (self.removed or self.changed or self.moved)


def compare_datasets(first: Path, second: Path, apart_from: Collection[str] = ()) -> Difference:
    """Compare two dataset folders row by row.

    Args:
        first: one folder.
        second: the other.
        apart_from: ids of rows that are not looked at.

    Raises:
        TableError: One is no dataset, or cannot be read.
    """
    before, after = (
        {name: mark for name, mark in marks_of(folder).items() if name not in apart_from}
        for folder in (first, second)
    )
    both = before.keys() & after.keys()
    added = tuple(sorted(after.keys() - before.keys()))
    difference = Difference(
        before=len(before),
        after=len(after),
        added=added,
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(one for one in both if before[one].digest != after[one].digest)),
        moved=tuple(sorted(one for one in both if before[one].split != after[one].split)),
        drifts=(),
    )
    new = {one: after[one] for one in added} if difference.extends and before and added else after
    drifts = tuple(drift(of, _values(before, of), _values(new, of)) for of in MEASURED)
    return replace(difference, drifts=drifts)


def drift(of: str, before: Iterable[str], after: Iterable[str]) -> Drift:
    """How far two lists of values lie apart; see `Drift`. Empty values are left out."""
    one, two = (Counter(filter(None, values)) for values in (before, after))
    ones, twos = one.total(), two.total()
    names = sorted(one | two)
    if not ones or not twos or len(names) < 2:
        return Drift(of, dict(one), dict(two), 0.0, 1.0)
    distance = sum(abs(one[name] / ones - two[name] / twos) for name in names) / 2
    from scipy.stats import chi2_contingency  # takes long to import: readers of datasets need not wait for it

    table = [[one[name] for name in names], [two[name] for name in names]]
    return Drift(of, dict(one), dict(two), distance, float(chi2_contingency(table, correction=False).pvalue))


def text_distance(first: Path, second: Path, difference: Difference, embedder: Embedder) -> float:
    """How far the mean embeddings of two datasets' texts lie apart, 0 to 2.

    Where the second extends the first, its new rows are held against the first's.

    Of large sets a sample is embedded, the same each time: mean embeddings move little beyond it.

    Raises:
        TableError: One is no dataset, or cannot be read.
    """
    new = frozenset(difference.added) if difference.extends and difference.added else None
    before = _mean_embedding(embedder, _texts(first, None))
    after = _mean_embedding(embedder, _texts(second, new))
    return float(np.linalg.norm(before - after))


def _texts(folder: Path, ids: frozenset[str] | None) -> list[str]:
    said = {
        row.id: f"{row.description} {row.question} {row.target}".strip()
        for _, row in rows_of(folder)
        if ids is None or row.id in ids
    }
    drawn = sorted(said, key=lambda name: hashlib.sha256(name.encode()).digest())[:EMBEDDED_ROWS]
    return [said[name] for name in drawn]


def _mean_embedding(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.asarray(embedder.embed(texts), dtype=np.float64).mean(axis=0)
    return mean


def marks_of(folder: Path) -> dict[str, Mark]:
    """The rows of a dataset folder by id, told without their pictures; one row is held at a time.

    Raises:
        TableError: It is no dataset, or cannot be read.
    """
    return {row.id: _mark(split, row) for split, row in rows_of(folder)}


def rows_of(folder: Path) -> Iterator[tuple[Split, Example]]:
    """All rows of a dataset folder, split by split.

    Raises:
        TableError: It is no dataset, or cannot be read.
    """
    paths = {split: sorted((folder / DATA).glob(f"{split}-*-of-*.parquet")) for split in SPLITS}
    if not any(paths.values()):
        raise TableError(f"{folder} is no dataset: it holds no {DATA}/SPLIT-00000-of-0000N.parquet")
    for split, found in paths.items():
        for path in found:
            for row in iter_rows(path, Example):
                yield split, row


def _mark(split: Split, row: Example) -> Mark:
    said = {name: value for name, value in row.to_row().items() if name != "image"}
    digest = hashlib.sha256(canonical_json(said).encode("utf-8", "surrogatepass"))
    digest.update(row.image)
    return Mark(split, digest.hexdigest(), row.answer, row.kind or row.task, row.category)


def _values(marks: Mapping[str, Mark], of: str) -> list[str]:
    field = {"letters": "letter", "kinds": "kind", "categories": "category"}[of]
    return [getattr(mark, field) for mark in marks.values()]
