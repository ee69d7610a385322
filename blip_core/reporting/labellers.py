"""Labellers side by side, as tables of words."""

from collections.abc import Sequence
from dataclasses import dataclass

from blip_core.scoring.labellers import Agreement, LabellerFigures

Cells = list[list[str]]

_FIGURES = [
    "phase",
    "labeller",
    "parsed",
    "parse rate",
    "refused by gates",
    "commonest letter",
    "disputed",
    "words",
]
_AGREE = ["phase", "and", "pictures", "descriptions (ROUGE-L)", "same answer"]


@dataclass(frozen=True, slots=True)
class LabellerTables:
    """Cells of both tables, headings first.

    Attributes:
        figures: a row a labeller.
        agreement: a row for every two of them.
    """

    figures: Cells
    agreement: Cells


def labeller_tables(figures: Sequence[LabellerFigures], pairs: Sequence[Agreement]) -> LabellerTables:
    """Write figures as people read them."""
    return LabellerTables([_FIGURES, *map(_figures, figures)], [_AGREE, *map(_agreement, pairs)])


def _figures(one: LabellerFigures) -> list[str]:
    return [
        one.name,
        one.model,
        f"{one.parsed:,} of {one.asked:,}",
        _share(one.parse_rate),
        _share(one.refused),
        _share(one.commonest_letter),
        _share(one.disputed),
        f"{one.words:.0f}",
    ]


def _agreement(pair: Agreement) -> list[str]:
    return [pair.a, pair.b, f"{pair.pictures:,}", _share(pair.descriptions), _share(pair.answers)]


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
