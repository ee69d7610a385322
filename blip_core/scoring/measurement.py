"""One judgement of one row: what ladders, findings and pages are made of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from blip_core.finite import check_finite
from blip_core.kinds import kind_of
from blip_core.recipes.findings import ASKED
from blip_core.records import Prediction, Row
from blip_core.scoring.measures import Answer, Measure, attribute_measures, measures_of

Rows = Sequence[Prediction]


@dataclass(frozen=True, slots=True)
class Measurement(Row):
    """One value of one measure: of one row, of one variant, on one set of rows.

    Attributes:
        row: id of the row.
        picture: id of its picture, the unit of clustering.
        variant: who answered; asked in a mode with less to see, NAME@MODE.
        set: which rows: `bundled`, `table` or `split`, as `evaluation.kind` calls them.
        measure: name of the measure.
        value: in the measure's own unit.
    """

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


def measure_run(
    answers: Mapping[str, Rows],
    ablations: Mapping[str, Rows],
    rows: str,
    further: Iterable[Measure] = (),
) -> list[Measurement]:
    """Judge all answers of a run by all measures of their kinds.

    Args:
        answers: by variant.
        ablations: the same rows in other modes, by variant; those of a mode are measured as VARIANT@MODE.
        rows: name of the set that they all answer.
        further: measures besides those that ship.
    """
    asked = {name: list(said) for name, said in answers.items()}
    for name, said in ablations.items():
        for row in said:
            asked.setdefault(f"{name}{ASKED}{row.mode}", []).append(row)
    return [one for name, said in asked.items() for one in measure(said, name, rows, further)]


def measure(
    predictions: Rows, variant: str, rows: str = "", further: Iterable[Measure] = ()
) -> list[Measurement]:
    """Judge what one variant said by every measure of its kinds; see `measure_all`."""
    tasks = dict.fromkeys(row.task for row in predictions)
    shipped = [one for task in tasks for one in measures_of(task)]
    measures = {one.name: one for one in (*shipped, *further, *attribute_measures(predictions))}.values()
    return measure_all(answers_of(predictions), measures, variant, rows)


def answers_of(predictions: Rows) -> list[Answer]:
    """What was written of each row, and the right texts that are known of it.

    Rows of which nothing is asked share the right texts of their picture: of one with five captions each is
    right. A question has those of its own row, as often as people gave them.
    """
    shared: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for row in predictions:
        shared[row.task, row.picture_id] |= dict.fromkeys(_told(row))
    return [Answer(row, row.task, row.generated, _references(row, shared)) for row in predictions]


def _references(row: Prediction, shared: Mapping[tuple[str, str], Iterable[str]]) -> tuple[str, ...]:
    return _told(row) if kind_of(row.task).asks else tuple(shared[row.task, row.picture_id])


def _told(row: Prediction) -> tuple[str, ...]:
    """The right texts that its own row knows."""
    return row.references or ((row.target,) if row.target else ())


def measure_all(
    answers: Sequence[Answer], measures: Iterable[Measure], variant: str, rows: str
) -> list[Measurement]:
    """Judge every answer by every measure that judges its kind; what a measure says nothing of is absent.

    Args:
        answers: of one variant.
        measures: which are taken.
        variant: name that the measurements bear.
        rows: name of the set that the answers belong to.
    """
    return [made for measure in measures for made in _measured(answers, measure, variant, rows)]


def _measured(answers: Sequence[Answer], measure: Measure, variant: str, rows: str) -> list[Measurement]:
    judged = [answer for answer in answers if measure.judges(answer.task)]
    return [
        Measurement(one.row.id, one.row.picture_id, variant, rows, measure.name, value)
        for one, value in zip(judged, measure.values(judged), strict=True)
        if value is not None
    ]
