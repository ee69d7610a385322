"""The page of a dataset benchmark, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, table
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

_GATE_HEADS = ("rows", "kept", "CPU ms a row", "wall s", "peak of memory, MB", "CPU ms to read a row")
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
        *_gates(entry.get("gates")),
        "- **Same rows first:** equal; where they are not, nothing is timed.",
        "- **Row by row:** each row alone through processor, model and back, drawn under the same seed.",
        "- **Time:** CPU time of the process without loading; median of the pairs' ratios, AB, BA, AB.",
        machine_line(entry),
        "",
    ]


def _gates(gates: Mapping[str, Any] | None) -> list[str]:
    """What rows take through the gates; nothing where that was not measured."""
    if not gates:
        return []
    sizes = gates["sizes"]
    return [
        "Rows with a picture of 64 x 64 pixels each, through every gate that asks no model and into Parquet, "
        "in one process on one thread:",
        "",
        *table(_GATE_HEADS, [_size(one) for one in sizes]),
        "",
        f"A row takes {gates['ratio_of_time_a_row']} times as long among {sizes[-1]['rows']:,} as among "
        f"{sizes[0]['rows']:,}. The last column: one row of an open dataset, with its picture, anywhere.",
        "",
    ]


def _size(one: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        f"{one['rows']:,}",
        f"{one['kept']:,}",
        one["cpu_ms_a_row"],
        one["wall_seconds"],
        f"{one['peak_mb']:,}",
        one["read_ms"],
    )


def _row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    rates = one["rows_per_cpu_second"]
    spread = f"{one['low']} to {one['high']}"
    return name, f"**{one['median']}**", spread, rates["batched"], rates["row_by_row"], one["method"]
