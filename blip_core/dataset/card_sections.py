"""Sections of a dataset's card: what the gates did, how rows are spread, which checkpoints made them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from blip_core.curation import GateCount
from blip_core.dataset.markdown import markdown_table
from blip_core.dataset.origin import UsedCheckpoint
from blip_core.dataset.spread import Spread, spread_of
from blip_core.records import Example, Rejection

_SHOWN_VALUES = 10
Line = tuple[object, ...]


def gates_section(gates: Sequence[GateCount], rejections: Iterable[Rejection]) -> str:
    """The funnel gate by gate, rows before and after it, and every reason of every stage."""
    refused = _refused(rejections)
    if not gates:
        return refused
    funnel = markdown_table(("gate", "came", "refused", "left", "what it refuses"), map(_gate, gates))
    samples = [line for gate in gates for line in _samples(gate)]
    shown = markdown_table(("gate", "row", "question", "answer", "why"), samples) if samples else ""
    kept = [(one.id, one.asked, one.answer) for one in gates[-1].kept_samples]
    left = markdown_table(("row", "question", "answer"), kept) if kept else ""
    parts = (funnel, _titled("Refused, for instance", shown), _titled("Left, for instance", left), refused)
    return "\n".join(part for part in parts if part)


def balance_section(rows: Sequence[Example]) -> str:
    """How right letters, kinds and categories are spread over rows."""
    spread = spread_of(rows)
    parts = [_letters(offered, one) for offered, one in spread.letters.items()]
    for name, counts in (("kind", spread.kinds), ("category", spread.categories), ("answer", spread.answers)):
        if len(counts) > 1:
            parts.append(markdown_table((name, "rows", "share"), _shares(counts)))
    return "\n".join(parts) or "All rows are of one kind and category.\n"


def checkpoints_section(checkpoints: Sequence[UsedCheckpoint]) -> str:
    """Which checkpoints made the rows, by name, revision and licence."""
    lines = [(one.stage, one.name, one.revision or "not stated", one.licence) for one in checkpoints]
    return markdown_table(("stage", "checkpoint", "revision", "licence"), lines)


def _gate(gate: GateCount) -> Line:
    return gate.gate, f"{gate.seen:,}", f"{gate.refused:,}", f"{gate.kept:,}", gate.words


def _samples(gate: GateCount) -> Iterator[Line]:
    for one in gate.refused_samples:
        yield gate.gate, one.id, one.asked, one.answer, one.why


def _titled(title: str, table: str) -> str:
    return f"{title}:\n\n{table}" if table else ""


def _refused(rejections: Iterable[Rejection]) -> str:
    counts = Counter((rejection.stage, rejection.reason) for rejection in rejections)
    if not counts:
        return "No row was refused by any stage.\n"
    lines = [(stage, reason, count) for (stage, reason), count in sorted(counts.items())]
    table = markdown_table(("stage", "reason", "rows"), lines)
    return f"{_titled('Refused by all stages', table)}\nEach with its detail in `rejects.parquet`.\n"


def _letters(offered: int, spread: Spread) -> str:
    counts = ", ".join(f"{letter} {count:,}" for letter, count in spread.counts.items())
    return (
        f"Right letters of questions with {offered} options: {counts} (chi-square against equal shares: "
        f"p = {spread.p_value:.2g}).\n"
    )


def _shares(counts: Mapping[str, int]) -> Iterator[Line]:
    total = sum(counts.values())
    for value, count in list(counts.items())[:_SHOWN_VALUES]:
        yield value, f"{count:,}", f"{100 * count / total:.1f} %"
    if len(counts) > _SHOWN_VALUES:
        others = sum(list(counts.values())[_SHOWN_VALUES:])
        yield f"{len(counts) - _SHOWN_VALUES:,} others", f"{others:,}", f"{100 * others / total:.1f} %"
