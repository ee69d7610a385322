"""What each gate saw, let pass and refused: the funnel from labels to dataset."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from blip_core.curation.gate import Gate
from blip_core.kinds import kind_of
from blip_core.records import Example, Rejection

SAMPLES = 3
_SAMPLE_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class GateSample:
    """A row as a gate saw it; `why` is empty for one that it let pass."""

    id: str
    asked: str
    answer: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class GateCount:
    """How many rows came to a gate, how many it refused and why, with some of either.

    Attributes:
        gate: its name.
        seen: rows that came.
        refused: rows that it refused.
        words: what it refuses, for people.
        reasons: refused rows by reason, most frequent first.
        refused_samples: some that it refused, at least one of each of the commonest reasons.
        kept_samples: some that it let pass.
    """

    gate: str
    seen: int
    refused: int
    words: str = ""
    reasons: Mapping[str, int] = field(default_factory=dict)
    refused_samples: tuple[GateSample, ...] = ()
    kept_samples: tuple[GateSample, ...] = ()

    @property
    def kept(self) -> int:
        return self.seen - self.refused

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what a dataset's metadata hold; those of earlier versions hold counts alone."""
        samples = {
            name: tuple(GateSample(**one) for one in values.get(name, ()))
            for name in ("refused_samples", "kept_samples")
        }
        return cls(**{**values, **samples})


def count_rows(
    gate: Gate[Any], seen: Sequence[Example], kept: Sequence[Example], refused: Sequence[Rejection]
) -> GateCount:
    """Count what a gate did with the rows that came to it."""
    by_id = {row.id: row for row in seen}
    reasons = dict(Counter(one.reason for one in refused).most_common())
    shown = [
        _sample(by_id[one.id], f"{one.reason}: {one.detail}") for one in _of_each(refused) if one.id in by_id
    ]
    passed = [_sample(row) for row in _spread(kept)]
    return GateCount(gate.name, len(seen), len(refused), gate.words, reasons, tuple(shown), tuple(passed))


def _of_each(refused: Sequence[Rejection]) -> list[Rejection]:
    """A few rejections: the first of each reason, then further ones in their order."""
    firsts = {one.reason: one for one in reversed(refused)}
    chosen = [*sorted(firsts.values(), key=refused.index), *refused]
    return list({one.id: one for one in chosen}.values())[:SAMPLES]


def _spread(rows: Sequence[Example]) -> Iterable[Example]:
    return rows[:: max(1, len(rows) // SAMPLES)][:SAMPLES]


def _sample(row: Example, why: str = "") -> GateSample:
    asked = row.question if kind_of(row.task).asks else ""
    return GateSample(row.id, _cut(asked), _cut(row.target), _cut(why))


def _cut(text: str) -> str:
    return text if len(text) <= _SAMPLE_CHARACTERS else f"{text[:_SAMPLE_CHARACTERS].rstrip()} …"
