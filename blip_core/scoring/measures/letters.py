"""Whether the letter of a question with options is right: ranked, in all rotations, or written freely."""

from collections.abc import Callable, Sequence

from blip_core.records import Prediction
from blip_core.scoring.measures.measure import Answer, Measure, Values, each

_OPTIONS = frozenset({"mcq"})


_ROTATED, _FREE = "inference.circular", "inference.free_generation"


def _right(answer: Answer) -> float | None:
    return float(answer.row.is_right) if answer.row.truth else None


def _circular(answer: Answer) -> float | None:
    """Right in all rotations (CircularEval of MMBench, arXiv 2307.06281); None for rows asked once."""
    row = answer.row
    return None if row.rotations_right is None else float(row.rotations_right == row.offered)


def _where_written(value: Callable[[Prediction], float | None]) -> Values:
    """A measure of what was written; it says nothing of a variant that was not asked to write."""

    def values(answers: Sequence[Answer]) -> list[float | None]:
        asked = any(answer.row.generated for answer in answers)  # then an empty text is an answer, too
        return [value(answer.row) if asked else None for answer in answers]

    return values


def _written(row: Prediction) -> float | None:
    return float(row.generated_letter == row.truth) if row.truth else None


def _invalid(row: Prediction) -> float | None:
    return float(not row.generated_letter)


MEASURES = (
    Measure("letter-right", "share of right letters, ranked", each(_right), _OPTIONS),
    Measure(
        "circular-right",
        "share of questions right in all rotations",
        each(_circular),
        _OPTIONS,
        needs=_ROTATED,
    ),
    Measure(
        "written-letter-right",
        "share of right letters, written freely",
        _where_written(_written),
        _OPTIONS,
        needs=_FREE,
    ),
    Measure(
        "no-letter",
        "share of answers that name no letter",
        _where_written(_invalid),
        _OPTIONS,
        "less",
        needs=_FREE,
    ),
)
