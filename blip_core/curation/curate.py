"""All gates in their order."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from blip_core.curation.funnel import GateCount, count_rows
from blip_core.curation.gate import STAGE, Gate, Near, refuse
from blip_core.curation.gates import gates_on
from blip_core.errors import EmptyDataset, StageFailure
from blip_core.recipes import Curation, Section
from blip_core.records import Example, Rejection, sum_up

__all__ = ["STAGE", "Curated", "GateCount", "Models", "curate"]

ENOUGH_TO_JUDGE = 50  # rows; of fewer, the gates may have good reason to refuse nearly all
MIN_KEPT_SHARE = 0.05

Models = Callable[[Gate[Any], Section], AbstractContextManager[Any]]
"""Opens the model that a gate asks, by the gate's port and its settings, and closes it behind the gate."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a gate gave, see `Gate.judge`."""

    kept: Sequence[Example]
    refused: Sequence[Rejection]
    near: Near = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Curated:
    """What the gates let pass and what not.

    Attributes:
        kept: rows in the order they came.
        rejections: rows that were refused, gate by gate.
        near: what rows are tied to because their pictures look alike, see `near_duplicates`.
        gates: the gates that were on, in order.
        measured: what gates measured, by gate and figure.
    """

    kept: list[Example]
    rejections: list[Rejection] = field(default_factory=list)
    near: Near = field(default_factory=dict)
    gates: list[GateCount] = field(default_factory=list)
    measured: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def apply(self, gate: Gate[Any], judge: Callable[[Sequence[Example]], _Verdict]) -> None:
        """Send what is kept so far through one more gate, but for rows that are not of its kinds."""
        judged = [row for row in self.kept if gate.judges(row)]
        verdict = judge(judged)
        _check_verdict(gate, judged, verdict)
        kept = set(map(id, verdict.kept))
        self.gates.append(count_rows(gate, judged, verdict.kept, verdict.refused))
        self.kept = [row for row in self.kept if id(row) in kept or not gate.judges(row)]
        self.rejections += verdict.refused
        self.near = {**self.near, **verdict.near}
        if verdict.measured:
            self.measured[gate.name] = verdict.measured


def curate(examples: Sequence[Example], settings: Curation, models: Models | None = None) -> Curated:
    """Send examples through the gates that are on.

    Args:
        examples: oldest first: of two rows alike the first is kept, and the second follows its split.
        settings: which gates are on, and their dials.
        models: opens the models that gates ask; needed only where one of them asks any.

    Raises:
        EmptyDataset: The gates refuse nearly all of the rows.
        StageFailure: A gate gives back other rows than it was given, or asks a model where none is given.
    """
    curated = Curated(list(examples))
    for gate, dials in gates_on(settings):
        curated.apply(gate, _judge(gate, dials, models))
    _check_share(curated, len(examples))
    return curated


def _judge(
    gate: Gate[Any], settings: Section, models: Models | None
) -> Callable[[Sequence[Example]], _Verdict]:
    def judge(rows: Sequence[Example]) -> _Verdict:
        if gate.port is None:
            return _verdict(gate, gate.judge(rows, settings))
        if models is None:
            raise StageFailure(f"{gate} asks a {gate.port}, and curate was given no models")
        with models(gate, settings) as model:
            return _verdict(gate, gate.judge(rows, settings, model))

    return judge


def _verdict(gate: Gate[Any], given: Any) -> _Verdict:
    """What a gate gave, in its shape.

    Raises:
        StageFailure: It is no list of rows and list of rejections; names the gate.
    """
    shapes = (list, list, Mapping, Mapping)
    if (
        isinstance(given, tuple)
        and len(given) in (2, 3, 4)
        and all(isinstance(one, shape) for one, shape in zip(given, shapes, strict=False))
    ):
        verdict = _Verdict(*given)
        if all(isinstance(one, Rejection) for one in verdict.refused):
            return verdict
    raise StageFailure(f"{gate} gave something else than a list of the rows it keeps and one of rejections")


def _check_verdict(gate: Gate[Any], rows: Sequence[Example], verdict: _Verdict) -> None:
    """Make sure that a gate parts the rows it was given: each is kept as it is, in its place, or refused.

    Raises:
        StageFailure: It does not; names the gate and a row.
    """
    kept = set(map(id, verdict.kept))
    if list(map(id, verdict.kept)) != [id(row) for row in rows if id(row) in kept]:
        raise StageFailure(
            f"{gate} keeps rows that it was not given, or in another order: it must keep those that "
            "it was given, as they are"
        )
    expected = Counter(refuse(row, "", "").id for row in rows if id(row) not in kept)
    refused = Counter(rejection.id for rejection in verdict.refused)
    wrong = next(iter((expected - refused) + (refused - expected)), None)
    if wrong is not None:
        raise StageFailure(
            f"{gate} neither keeps nor refuses {wrong}, or both, or was not given it: each row that "
            "it was given must be kept, or refused once"
        )


def _check_share(curated: Curated, seen: int) -> None:
    """Stop when nearly all is refused: what little is left would train a model on accidents."""
    if seen < ENOUGH_TO_JUDGE or len(curated.kept) >= MIN_KEPT_SHARE * seen:
        return
    by_gate = ", ".join(f"{count.gate} {count.refused} of {count.seen}" for count in curated.gates)
    raise EmptyDataset(
        f"The gates kept {len(curated.kept)} of {seen} rows. Refused by gate: {by_gate}. "
        f"By reason: {sum_up(curated.rejections)}. Look at what these rows have in common: "
        "mend the labels or the pictures, or loosen the gate (curation.GATE), or switch it off "
        "(curation.GATE.enabled = false)"
    )
