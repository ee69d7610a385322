"""Rows of a comparison to leaf through: which of them a page shows, and what it says of each."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, zip_longest
from typing import Any

from blip_core import strict_json
from blip_core.records import Example, Prediction
from blip_core.reporting.pictures import picture_uri

SHOWN_ROWS = 240
LOW_MARGIN = 0.05  # five points between the best option and the second best, as answers are flagged
TEXT_CHARS = 600  # of a question, an option or a text that a model wrote
WRITTEN_CHARS = 1_500_000  # that models wrote, of all rows together
PICTURE_BYTES = 12_000  # of one picture: 240 of them stay below four megabytes as text

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}

Answers = Mapping[str, Sequence[Prediction]]
Pair = tuple[str, str]
_ById = dict[str, Prediction]


@dataclass(frozen=True, slots=True)
class Gallery:
    """What the page's script reads.

    Attributes:
        data: JSON values: the variants, their rows, each picture once.
        shown: rows on the page.
        total: rows that were answered.
    """

    data: Mapping[str, Any]
    shown: int
    total: int


def build_gallery(
    answers: Answers, examples: Iterable[Example], candidates: Sequence[Sequence[str]] = ()
) -> Gallery:
    """Draw rows and tell of each what was asked, what is true and what every variant said.

    Args:
        answers: predictions by variant, in the order of the ladder; the same rows for all.
        examples: the rows that were answered, in any order; one at a time is held.
        candidates: pairs of names, a base and its tuned variant.
    """
    by_id = {name: {row.id: row for row in rows} for name, rows in answers.items()}
    asked = list(next(iter(by_id.values()), {}))
    pair = pair_to_watch(list(answers), candidates)
    drawn = set(draw(by_id, pair)) if pair else set()
    pictures: dict[str, str] = {}
    found = {}
    for row in examples:
        if row.id in drawn:
            pictures.setdefault(row.picture_id, picture_uri(row.image, PICTURE_BYTES, f"picture of {row.id}"))
            found[row.id] = row
    places = {name: place for place, name in enumerate(pictures)}
    told = [_row(name, found.get(name), by_id, places) for name in asked if name in drawn]
    data = {
        "variants": list(answers),
        "pair": [list(answers).index(name) for name in pair] if pair else [],
        "lowMargin": LOW_MARGIN,
        "pictures": list(pictures.values()),
        "rows": told,
    }
    return Gallery(data, len(told), len(asked))


def pair_to_watch(names: Sequence[str], candidates: Sequence[Sequence[str]] = ()) -> Pair | None:
    """The two variants between which rows are gained and lost; of one alone, twice that one.

    The last tuned variant with its base, else the last two of the ladder; None without variants.
    """
    known = [(base, tuned) for base, tuned in candidates if base in names and tuned in names]
    if known:
        return known[-1]
    return (names[max(len(names) - 2, 0)], names[-1]) if names else None


def outcome(before: Prediction, after: Prediction) -> str:
    """What became of a row: `gained`, `lost`, `right`, `wrong`, or `unknown` where nobody knows the truth.

    Of texts it is `unknown`, too: they come nearer or less near.
    """
    if not after.truth:
        return "unknown"
    if before.is_right == after.is_right:
        return "right" if after.is_right else "wrong"
    return "gained" if after.is_right else "lost"


def draw(by_id: Mapping[str, _ById], pair: Pair, limit: int = SHOWN_ROWS) -> list[str]:
    """Ids of the rows that are shown: as many of each outcome, as long as there are any.

    Within an outcome kinds, categories and rows of low margin take turns; among equals a hash of the id
    decides. The same rows are drawn whatever their order. Fewer are drawn where their texts are longer than
    `WRITTEN_CHARS` together.
    """
    before, after = (by_id[name] for name in pair)
    rows = sorted(after.values(), key=lambda row: hashlib.sha256(row.id.encode()).digest())
    by_outcome = _grouped(rows, lambda row: outcome(before[row.id], row))
    order = _in_turn(_in_turn(_grouped(part, _topic)) for part in by_outcome)
    return _that_fit([row.id for row in order[:limit]], by_id)


def as_script_data(values: Mapping[str, Any]) -> str:
    """JSON that may stand inside a `script` element of HTML: no text in it can end the element."""
    text = strict_json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _topic(row: Prediction) -> Hashable:
    return row.margin < LOW_MARGIN, row.kind, row.category


def _grouped(rows: Iterable[Prediction], name: Callable[[Prediction], Hashable]) -> list[list[Prediction]]:
    groups: dict[Hashable, list[Prediction]] = defaultdict(list)
    for row in rows:
        groups[name(row)].append(row)
    return list(groups.values())


def _in_turn(groups: Iterable[Sequence[Prediction]]) -> list[Prediction]:
    """One of each group, then a second one of each, until all are exhausted."""
    return [row for row in chain.from_iterable(zip_longest(*groups)) if row is not None]


def _that_fit(ids: Sequence[str], by_id: Mapping[str, _ById]) -> list[str]:
    lengths = [sum(_length(rows[name]) for rows in by_id.values() if name in rows) for name in ids]
    return [name for name, total in zip(ids, accumulate(lengths), strict=True) if total <= WRITTEN_CHARS]


def _length(row: Prediction) -> int:
    return len(_cut(row.description)) + len(_cut(row.generated))


def _row(
    name: str, example: Example | None, by_id: Mapping[str, _ById], pictures: Mapping[str, int]
) -> dict[str, Any]:
    answered = [rows.get(name) for rows in by_id.values()]
    known = next(row for row in answered if row)
    return {
        "id": name,
        "picture": pictures.get(known.picture_id),
        "category": known.category,
        "kind": known.kind,
        "question": _cut(f"{example.context}\n{example.question}".strip()) if example else "",
        "options": [_cut(option) for option in example.options] if example else [],
        "truth": known.truth,
        "isText": not known.offered,
        "target": _cut(known.target),
        "answers": [_answer(row) if row else None for row in answered],
    }


def _answer(row: Prediction) -> dict[str, Any]:
    return {
        "chosen": row.ranked,
        "p": [round(p, 4) for p in row.probabilities],
        "margin": round(row.margin, 4),
        "description": _cut(row.description),
        "written": _cut(row.generated),
        "letter": row.generated_letter,
        "rotations": row.rotations_right,
        "flags": row.flags.split(),
    }


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else text[: TEXT_CHARS - 1] + "…"
