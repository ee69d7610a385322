"""Published scores beside measured ones, in lines and tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from blip_core.scoring.published import BesidePublished


def value_of(one: BesidePublished, value: float) -> str:
    """A score as papers print it: a hundred times a measure that has bounds."""
    return f"{value:.2f}" if one.span is None else f"{100 * value:.1f}"


def difference_of(one: BesidePublished) -> str:
    """Measured less published, with its sign."""
    return f"{one.difference:+.2f}" if one.span is None else f"{100 * one.difference:+.1f}"


def of_whom(one: BesidePublished) -> str:
    """Which checkpoint was measured, and that it is another one where it is."""
    return one.measured_of if one.is_same_model else f"{one.measured_of}, another model"


def published_cells(published: Sequence[BesidePublished]) -> list[list[str]]:
    """Published and measured scores as texts, a line each, their heading first; empty without any."""
    if not published:
        return []
    heading = ["variant", "measure", "published", "measured (95 %)", "difference", "rows", "measured of"]
    return [
        [*heading, "published of"],
        *(
            [
                one.variant,
                one.words,
                value_of(one, one.published),
                f"{value_of(one, one.measured)} ({' to '.join(value_of(one, end) for end in one.ci95)})",
                difference_of(one),
                f"{one.n:,}",
                of_whom(one),
                f"{one.published_of} ({one.source})",
            ]
            for one in published
        ),
    ]


def published_sentences(published: Sequence[BesidePublished]) -> list[str]:
    """Each published score with what came here, in a sentence or two."""
    return [_sentence(one) for one in published]


def show_published(console: Console, published: Sequence[BesidePublished]) -> None:
    """Print published and measured scores."""
    for sentence in published_sentences(published):
        console.print(escape(sentence), highlight=False)


def _sentence(one: BesidePublished) -> str:
    low, high = (value_of(one, end) for end in one.ci95)
    told = (
        f"{one.variant}, {one.words}: published {value_of(one, one.published)} ({one.source}), measured "
        f"{value_of(one, one.measured)} (95 % {low} to {high}, {one.n:,} rows), {difference_of(one)}."
    )
    if one.is_same_model:
        return told
    return f"{told} The published score is of {one.published_of}; {one.measured_of} was measured."
