"""The page of a dataset benchmark, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, table
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

_HEADS = ("stage", "ratio", "spread", "rows/s, batched", "row by row", "what")


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Making a dataset against the row-by-row way", ""]
    parts += ["Written by `make bench-dataset`, from [dataset.json](dataset.json).", ""]
    for entry in results.get(ENTRIES, ()):
        parts += _on_cpu(entry)
    return "\n".join([*parts, "On a GPU: not measured yet.", ""])


def _on_cpu(entry: Entry) -> list[str]:
    return [
        f"## {kind_of(entry)}",
        "",
        *table(_HEADS, [_row(name, one) for name, one in entry["ratio_cpu"].items()]),
        "",
        "With larger models, whose products weigh more beside what every step costs:",
        "",
        *table(_HEADS, [_row(name, one) for name, one in entry["ratio_cpu_larger"].items()]),
        "",
        "- **Same rows first:** equal; where they are not, nothing is timed.",
        "- **Row by row:** each row alone through processor, model and back, drawn under the same seed.",
        "- **Time:** CPU time of the process without loading; median of the pairs' ratios, AB, BA, AB.",
        machine_line(entry),
        "",
    ]


def _row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    rates = one["rows_per_cpu_second"]
    spread = f"{one['low']} to {one['high']}"
    return name, f"**{one['median']}**", spread, rates["batched"], rates["row_by_row"], one["method"]
