"""What the gates let pass and refused, as tables of words, metrics and rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blip_core.curation import GateCount

Cells = list[list[str]]
Counts = Mapping[str, tuple[int, int]]
"""By gate: rows that came to it, and rows that it refused."""

_FUNNEL = ["gate", "came", "refused", "left", "because"]
_SAMPLES = ["gate", "row", "question", "answer", "why"]


def funnel_cells(gates: Sequence[GateCount]) -> Cells:
    """A line a gate, headings first; nothing where no gate is known."""
    return [_FUNNEL, *map(_line, gates)] if gates else []


def sample_cells(gates: Sequence[GateCount]) -> Cells:
    """Some rows that gates refused, and some that came through all; headings first."""
    refused = [
        [gate.gate, one.id, one.asked, one.answer, one.why] for gate in gates for one in gate.refused_samples
    ]
    left = [["", one.id, one.asked, one.answer, "left"] for gate in gates[-1:] for one in gate.kept_samples]
    return [_SAMPLES, *refused, *left] if refused else []


def count_cells(counts: Counts) -> Cells:
    """The funnel in short: how many came and were refused."""
    lines = [[gate, f"{seen:,}", f"{refused:,}"] for gate, (seen, refused) in counts.items()]
    return [_FUNNEL[:3], *lines] if lines else []


def funnel_metrics(gates: Sequence[GateCount]) -> dict[str, float]:
    """For a tracker: `gates/NAME/seen` and `gates/NAME/refused`."""
    return {name: value for gate in gates for name, value in _metrics(gate)}


def funnel_rows(gates: Sequence[GateCount]) -> list[dict[str, Any]]:
    """For a tracker's table: a row a gate and reason, with an example; one for a gate that refused none."""
    return [row for gate in gates for row in _rows(gate)]


def _line(gate: GateCount) -> list[str]:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in gate.reasons.items())
    return [gate.gate, f"{gate.seen:,}", f"{gate.refused:,}", f"{gate.kept:,}", reasons]


def _metrics(gate: GateCount) -> Iterator[tuple[str, float]]:
    yield f"gates/{gate.gate}/seen", float(gate.seen)
    yield f"gates/{gate.gate}/refused", float(gate.refused)


def _rows(gate: GateCount) -> Iterator[dict[str, Any]]:
    examples = {one.why.partition(":")[0]: f"{one.id}: {one.why}" for one in reversed(gate.refused_samples)}
    for reason, count in (gate.reasons or {"": 0}).items():
        yield {
            "gate": gate.gate,
            "came": gate.seen,
            "refused": count,
            "reason": reason,
            "for instance": examples.get(reason, ""),
        }
