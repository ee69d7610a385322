"""Gate: rows that a model would be judged on, or nearly.

Pictures are compared by their perceptual hashes, texts by the words that they share in a row. A row's fate
depends on itself and on the rows that judge, on no other row.
"""

from collections.abc import Iterable, Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.hamming import HammingIndex
from blip_core.curation.looks import look_of
from blip_core.curation.row_texts import shown
from blip_core.errors import TableError
from blip_core.kinds import kind_of
from blip_core.ports import HeldOutRows
from blip_core.recipes.curation import Decontamination
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.wording import words_of

Gram = tuple[str, ...]


def refuse_held_out(rows: Sequence[Example], settings: Decontamination, held_out: HeldOutRows) -> Kept:
    """Refuse rows whose picture, or whose question with its options, is one of those that judge.

    Reasons: `evaluation-picture`, `evaluation-text`.
    """
    judging = _Judging(settings, held_out.rows())
    return part(rows, judging.judge)


class _Judging:
    """Pictures and runs of words of the rows that judge, each with the first row that has it."""

    def __init__(self, settings: Decontamination, rows: Iterable[Example]) -> None:
        self._words = settings.ngram_words
        self._index = HammingIndex(settings.max_distance_bits)
        self._pictures: dict[int, str] = {}
        self._grams: dict[Gram, str] = {}
        for row in rows:
            if (bits := _hash(row)) is not None:
                self._index.add(bits)
                self._pictures.setdefault(bits, row.id)
            for gram in _grams(row, self._words):
                self._grams.setdefault(gram, row.id)

    def judge(self, row: Example) -> Rejection | None:
        if gram := next((one for one in _grams(row, self._words) if one in self._grams), None):
            detail = f"{shown(' '.join(gram))} stands in {self._grams[gram]}, which judges"
            return refuse(row, "evaluation-text", detail)
        bits = _hash(row)
        alike = [] if bits is None else self._index.near(bits)
        if not alike:
            return None
        name = min(self._pictures[other] for other in alike)
        return refuse(row, "evaluation-picture", f"its picture looks like that of {name}, which judges")


def _hash(row: Example) -> int | None:
    """None for a picture that cannot be decoded: other gates speak of it."""
    try:
        return look_of(row).bits
    except TableError:
        return None


def _grams(row: Example, size: int) -> Iterable[Gram]:
    """Runs of so many words of what a row asks; its options in an order that no letters change."""
    kind = kind_of(row.task)
    options = sorted(one.casefold() for one in kind.choices(row)) if kind.has_options else []
    words = words_of(" ".join((row.context, kind.asked(row), *options)))
    return (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


GATE = Gate(
    "decontamination",
    "rows whose picture or question is one of those that judge",
    Decontamination,
    refuse_held_out,
    port="held-out rows",
)
