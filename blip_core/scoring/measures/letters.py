"""Whether the letter of a question with options is right: ranked, in all rotations, or written freely."""

from blip_core.records import Prediction
from blip_core.scoring.measures.measure import Answer, Measure, each

_OPTIONS = frozenset({"mcq"})


def _right(answer: Answer) -> float | None:
    return float(answer.row.is_right)


def _circular(answer: Answer) -> float | None:
    """Right in all rotations (CircularEval of MMBench, arXiv 2307.06281); None for rows asked once."""
    row = answer.row
    return None if row.rotations_right is None else float(row.rotations_right == row.offered)


def _written(answer: Answer) -> float | None:
    row = answer.row
    return float(row.generated_letter == row.truth) if _wrote(row) else None


def _invalid(answer: Answer) -> float | None:
    return float(not answer.row.generated_letter) if _wrote(answer.row) else None


def _wrote(row: Prediction) -> bool:
    return bool(row.generated or row.generated_letter)


MEASURES = (
    Measure("letter-right", "share of right letters, ranked", each(_right), _OPTIONS),
    Measure("circular-right", "share of questions right in all rotations", each(_circular), _OPTIONS),
    Measure("written-letter-right", "share of right letters, written freely", each(_written), _OPTIONS),
    Measure("no-letter", "share of answers that name no letter", each(_invalid), _OPTIONS, "less"),
)
