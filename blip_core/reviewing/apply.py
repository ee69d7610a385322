"""The gate that people are: their decisions make a new version of a dataset, and the old one stays."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.annotating.decisions import Decisions, check_about, is_mended, mend_of
from blip_core.annotating.reviewing import DROPPED
from blip_core.dataset.card import CARD
from blip_core.dataset.card_sections import balance_section
from blip_core.dataset.card_text import CardText, read_card
from blip_core.dataset.finding import iter_texts
from blip_core.dataset.markdown import markdown_table
from blip_core.dataset.reading import DATA, split_files, splits_there
from blip_core.dataset.writing import REJECTS, with_features
from blip_core.errors import EmptyDataset, UserMistake
from blip_core.records import REJECTION_SCHEMA, Example, Rejection, Split
from blip_core.reviewing.agreement import Agreement, agreements
from blip_core.reviewing.bringing_back import Returning, Splitting, bring_back
from blip_core.reviewing.carrying import CARRIED
from blip_core.reviewing.verdicts import Disputed, Verdict, verdicts
from blip_core.store import iter_rows, write_rows
from blip_core.store.rows import ROWS_PER_GROUP

NONE: Mapping[str, Example] = {}
GATE = "review"
DISPUTED = "review-disputed"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Decisions about one dataset, checked against it.

    Attributes:
        digest: of the dataset.
        files: decisions by reviewer.
        verdicts: what becomes of each row that somebody decided.
        agreement: of each pair of reviewers.
        refused: rows that gates refused and somebody decided, by their ids.
    """

    digest: str
    files: Mapping[str, Decisions]
    verdicts: Mapping[str, Verdict]
    agreement: Sequence[Agreement]
    refused: Mapping[str, Example] = field(default_factory=dict)


@dataclass(slots=True)
class Applied:
    """What a review did.

    Attributes:
        splits: rows that are left, by split.
        kept: rows that somebody looked at and kept as they were.
        mended: rows whose texts were changed.
        dropped: rows that went, by reason.
        returned: rows that gates had refused and people brought back, mended or not, by the gates' reason.
        left_out: rows that gates had refused and people would not have either.
        bridges: rows that people would bring back, and that would bridge two splits.
    """

    splits: dict[Split, int] = field(default_factory=dict)
    kept: int = 0
    mended: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    bridges: int = 0

    @property
    def rows(self) -> int:
        return sum(self.splits.values())

    @property
    def back(self) -> int:
        """Rows that gates had refused and that are there again."""
        return self.returned.total()


def check_review(
    dataset: Path,
    digest: str,
    files: Sequence[Decisions],
    disputed: Disputed = "drop",
    refused: Mapping[str, Example] = NONE,
) -> Reviewed:
    """Hold files of decisions against the dataset that they are about, before anything is made of them.

    Args:
        dataset: that they are about.
        digest: of that dataset.
        files: one a reviewer.
        disputed: what becomes of rows about which as many decided otherwise.
        refused: rows of it that gates refused, by their ids, as far as somebody decided about them.

    Raises:
        TableError: One is about other rows, or breaks a rule; names file, line and rule.
        UserMistake: Two files are of one reviewer.
    """
    named = _by_reviewer(files)
    decided = {name for one in files for name in one.lines}
    there = {row.id: row for row in _texts(dataset) if row.id in decided}
    rows = {**refused, **there}
    for one in files:
        check_about(one, digest, rows)
        for name in one.by_id:
            mend_of(one, rows[name])
    out = {name: row for name, row in refused.items() if name not in there}
    return Reviewed(digest, named, verdicts(named, disputed), agreements(named), out)


def apply_review(
    dataset: Path, reviewed: Reviewed, folder: Path, splitting: Splitting | None = None
) -> Applied:
    """Write the dataset that people left: rows in their splits and order, one row group in memory at a time.

    Args:
        dataset: that was reviewed.
        reviewed: see `check_review`.
        folder: empty.
        splitting: how its rows came into their splits, for those that are brought back.

    Raises:
        EmptyDataset: No row to train on is left.
    """
    done = Applied()
    back = bring_back(_kept_of_refused(reviewed, done), dataset, splitting or Splitting())
    done.bridges = len(back.bridges)
    refused: list[Rejection] = []
    for split in splits_there(dataset):
        returning = Returning(back.splits.get(split, ()))
        *others, last = split_files(dataset, split)
        for path in [*others, last]:
            added = returning.of_file(path, is_last=path == last)
            target = folder / DATA / path.name
            done.splits[split] = done.splits.get(split, 0) + _rewrite(
                path, target, added, reviewed, done, refused
            )
    if not done.splits.get("train"):
        raise EmptyDataset("the review leaves no row to train on; nothing was changed")
    earlier = list(iter_rows(dataset / REJECTS, Rejection)) if (dataset / REJECTS).is_file() else []
    returned = {row.id for rows in back.splits.values() for row in rows}
    done.returned.update(one.reason for one in earlier if one.id in returned)
    out = [one for one in earlier if one.id not in returned]
    write_rows(folder / REJECTS, [*out, *refused, *back.bridges], REJECTION_SCHEMA)
    _card(dataset, reviewed, done, folder).write(folder / CARD)
    return done


def _kept_of_refused(reviewed: Reviewed, done: Applied) -> list[Example]:
    """The rows that gates refused and people would have, mended where they say so."""
    kept: list[Example] = []
    for name, row in reviewed.refused.items():
        verdict = reviewed.verdicts.get(name)
        if verdict is None:
            continue
        if verdict.is_drop or verdict.is_disputed:  # in doubt the gate is believed
            done.left_out += 1
            continue
        kept.append(mend_of(reviewed.files[verdict.by], row) if is_mended(verdict.decision) else row)
    return kept


def _by_reviewer(files: Sequence[Decisions]) -> dict[str, Decisions]:
    """Files by the names in them, or else by their own."""
    named: dict[str, Decisions] = {}
    for one in files:
        name = one.reviewer or one.path.stem
        if name in named:
            raise UserMistake(
                f"{named[name].path} and {one.path} are both of the reviewer {name!r}; give one of them"
            )
        named[name] = one
    return named


def _texts(dataset: Path) -> Iterator[Example]:
    for split in splits_there(dataset):
        for path in split_files(dataset, split):
            yield from iter_texts(path)


def _rewrite(
    source: Path,
    target: Path,
    added: Sequence[Example],
    reviewed: Reviewed,
    done: Applied,
    refused: list[Rejection],
) -> int:
    """Write what is left of one file, and what comes back into it; gives how many rows."""
    rows = (
        made
        for row in iter_rows(source, Example)
        if (made := _judged(row, reviewed, done, refused)) is not None
    )
    both = merge(rows, added, key=lambda row: row.id)
    return write_rows(target, both, _schema(source, reviewed), _group_rows(source))


def _judged(row: Example, reviewed: Reviewed, done: Applied, refused: list[Rejection]) -> Example | None:
    verdict = reviewed.verdicts.get(row.id)
    if verdict is None:
        return row
    if verdict.is_drop:
        reason = DISPUTED if verdict.is_disputed else DROPPED
        done.dropped[reason] += 1
        refused.append(Rejection(row.id, GATE, reason, verdict.reason or "no reason given"))
        return None
    if not is_mended(verdict.decision):
        done.kept += 1
        return row
    done.mended += 1
    return mend_of(reviewed.files[verdict.by], row)


def _schema(source: Path, reviewed: Reviewed) -> pa.Schema:
    """That of the file, with places for what mended rows have more."""
    schema = pq.read_schema(source).remove_metadata()
    if any(is_mended(one.decision) for one in reviewed.verdicts.values()) and "mended" not in schema.names:
        schema = schema.append(pa.field("mended", pa.string()))
    return with_features(schema)


def _group_rows(source: Path) -> int:
    """Rows of a row group, as whoever wrote the file wanted them."""
    metadata = pq.read_metadata(source)
    return max((metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)), default=0) or (
        ROWS_PER_GROUP
    )


def _card(dataset: Path, reviewed: Reviewed, done: Applied, folder: Path) -> CardText:
    """The dataset's own card with the numbers of now, and what was done."""
    card = read_card(dataset)
    title = next(
        (line for line in card.sections[""].splitlines() if line.startswith("# ")), f"# {dataset.name}"
    )
    when = "by what they decided about earlier versions" if CARRIED in reviewed.files else "after a review"
    intro = (
        f"{title}\n\n{done.rows:,} rows, what people left of the dataset `{reviewed.digest}` {when}. "
        "What gates and measures tell below was found before it.\n"
    )
    sections = {
        **card.sections,
        "": intro,
        "Splits": markdown_table(("split", "rows"), list(done.splits.items())),
        "Balance": balance_section(list(_texts(folder))),
        "Review": _told(reviewed, done),
    }
    return replace(card, sections=sections).counted(done.splits)


def _told(reviewed: Reviewed, done: Applied) -> str:
    of_gates = [
        ("refused by gates and brought back", done.back),
        ("refused by gates, and left out", done.left_out),
        ("refused by gates; would bridge two splits", done.bridges),
    ]
    lines = [
        ("kept as they were", done.kept),
        ("mended", done.mended),
        *sorted(done.dropped.items()),
        *(line for line in of_gates if line[1]),
    ]
    text = markdown_table(("what became of rows", "rows"), lines)
    if CARRIED in reviewed.files:
        text = f"Decisions of people about earlier versions were carried over to the same rows:\n\n{text}"
    if reviewed.agreement:
        text += "\n" + markdown_table(
            ("reviewers", "rows both decided", "alike", "Cohen's kappa"), _agreement_lines(reviewed.agreement)
        )
    return text


def _agreement_lines(found: Iterable[Agreement]) -> Iterator[tuple[object, ...]]:
    for number, one in enumerate(found, 1):
        kappa = "not defined" if one.kappa is None else f"{one.kappa:.3f}"
        yield f"pair {number}", one.rows, one.same, kappa
