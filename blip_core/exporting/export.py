"""Writes a dataset in another tool's format: the whole folder, or nothing."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from blip_core.dataset.reading import splits_there
from blip_core.errors import EmptyDataset, UserMistake
from blip_core.exporting.form import Format, Holds, Rows
from blip_core.records import SPLITS, Split
from blip_core.store.out_folder import check_empty, published_folder


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        folder: where.
        rows: written, by split.
        skipped: rows left out, by why the format cannot hold them.
    """

    folder: Path
    rows: dict[Split, int]
    skipped: dict[str, int]


def export(
    dataset: Path, form: Format, out: Path, splits: Collection[Split] = (), skip: bool = False
) -> Exported:
    """Write a dataset; `out` appears whole or not at all.

    Args:
        dataset: its folder.
        form: the format.
        out: folder to make; it must be new or empty.
        splits: which splits; all that have rows where none is named.
        skip: leave out rows that the format cannot hold, in place of stopping at them.

    Raises:
        PlaceError: `out` holds something, or cannot be written.
        TableError: The dataset cannot be read.
        UserMistake: Rows cannot be held, and are not to be skipped.
        EmptyDataset: Nothing would be written, or a split that was named has no rows.
    """
    check_empty(out)
    chosen = [split for split in SPLITS if split in splits] or splits_there(dataset)
    looked = {split: _look(Rows(dataset, split), form) for split in chosen}
    for split in splits:
        if not looked[split].seen:
            raise EmptyDataset(f"nothing was written: the split {split} of {dataset} has no rows")
    whole = sum(looked.values(), _Looked())
    if whole.faults and not skip:
        raise UserMistake(_unheld(form, whole))
    if not whole.held:
        why = _counted(whole.faults) or "the dataset has no rows"
        raise EmptyDataset(f"nothing was written: no row can be written as {form.name} ({why})")
    rows = {split: Rows(dataset, split, _holds(form)) for split in chosen if looked[split].held}
    with published_folder(out) as folder:
        form.write(folder, rows)
    held = {split: looked[split].held for split in rows}
    return Exported(out, held, dict(sorted(whole.faults.items())))


@dataclass(frozen=True, slots=True)
class _Looked:
    """How many rows were seen, how many a format cannot hold by reason, and the first row of each reason."""

    seen: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return self.seen - self.faults.total()

    def __add__(self, other: "_Looked") -> "_Looked":
        return _Looked(self.seen + other.seen, self.faults + other.faults, other.first | self.first)


def _look(rows: Rows, form: Format) -> _Looked:
    seen = 0
    faults: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row in rows.texts():
        seen += 1
        if fault := form.fault(row):
            faults[fault] += 1
            first.setdefault(fault, row.id)
    return _Looked(seen, faults, first)


def _holds(form: Format) -> Holds:
    return lambda row: not form.fault(row)


def _unheld(form: Format, looked: _Looked) -> str:
    some = ", ".join(looked.first.values())
    return (
        f"{looked.faults.total()} of {looked.seen} rows cannot be written as {form.name}: "
        f"{_counted(looked.faults)}, such as {some}. Nothing was written; --skip leaves them out"
    )


def _counted(faults: Counter[str]) -> str:
    return "; ".join(f"{count} {fault}" for fault, count in faults.most_common())
