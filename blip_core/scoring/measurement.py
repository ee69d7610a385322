"""One judgement of one row: what ladders, findings and pages are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from blip_core.finite import check_finite
from blip_core.records import Row
from blip_core.scoring.measures import Answer, Measure


@dataclass(frozen=True, slots=True)
class Measurement(Row):
    """One value of one measure: of one row, of one variant, on one set of rows."""

    row: str
    picture: str
    variant: str
    set: str
    measure: str
    value: float

    def __post_init__(self) -> None:
        check_finite(f"row {self.row}, answered by {self.variant!r}", {self.measure: self.value})


MEASUREMENT_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("row", "picture", "variant", "set", "measure")),
        ("value", pa.float64()),
    ]
)


def measure_all(answers: Sequence[Answer], measures: Iterable[Measure], rows: str) -> list[Measurement]:
    """Judge every answer by every measure that judges its kind; what a measure says nothing of is absent.

    Args:
        answers: of one variant.
        measures: which are taken.
        rows: name of the set that the answers belong to.
    """
    return [made for measure in measures for made in _measured(answers, measure, rows)]


def _measured(answers: Sequence[Answer], measure: Measure, rows: str) -> list[Measurement]:
    judged = [answer for answer in answers if measure.judges(answer.task)]
    return [
        Measurement(one.row.id, one.row.picture_id, one.row.variant, rows, measure.name, value)
        for one, value in zip(judged, measure.values(judged), strict=True)
        if value is not None
    ]
