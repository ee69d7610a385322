"""The page of a benchmark of growth, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, percent, table
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

_HEADS = ("stage", "rows", "CPU seconds", "exponent", "fixed, CPU seconds", "peak of memory, MB")
_MEMORY_HEADS = ("stage", "size of BLIP-2", "planned, MB", "measured, MB", "plan against measured")


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# What stages take as rows grow, and their memory", ""]
    parts += ["Written by `make bench-growth`, from [growth.json](growth.json).", ""]
    entries = results.get(ENTRIES, ())
    if not entries:
        return "\n".join([*parts, "Not measured yet.", ""])
    parts += ["![CPU seconds of every stage by rows, both on logarithmic scales](growth.svg)", ""]
    for entry in entries:
        parts += _on_cpu(entry)
    return "\n".join(parts)


def _on_cpu(entry: Entry) -> list[str]:
    memory = [
        (
            one["stage"],
            one["size"],
            f"{one['planned_mb']:,}",
            f"{one['measured_mb']:,}",
            f"{100 * one['apart']:+.1f} %",
        )
        for one in entry["memory"]
    ]
    beyond = [one for one in entry["memory"] if abs(one["apart"]) > entry["most_apart"]]
    far = [f"{one['stage']} {one['size']}" for one in beyond]
    steep = [name for name, one in entry["stages"].items() if one["exponent"] > entry["most_exponent"]]
    return [
        f"## {kind_of(entry)}",
        "",
        f"Asked: an exponent of at most {entry['most_exponent']}. Above it: {', '.join(steep) or 'none'}.",
        "",
        *table(_HEADS, [_row(name, one) for name, one in entry["stages"].items()]),
        "",
        "One batch at its longest, by the size of the BLIP-2 that is tuned and answers; "
        f"asked: within {percent(entry['most_apart'])}. Beyond it: {', '.join(far) or 'none'}.",
        "",
        *table(_MEMORY_HEADS, memory),
        "",
        "- **Rows:** scenes, pictures, pictures that are labelled, labels, rows of one epoch, questions, "
        "answers.",
        "- **Exponent:** of the rows, fitted to the logarithms of CPU seconds; imports and loading of models "
        "are the fixed part and left out.",
        "- **Peak of memory:** the most that a process of the stage alone held, imports of a run within.",
        machine_line(entry),
        "",
    ]


def _row(name: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    points = one["points"]
    columns = (
        [f"{point['rows']:,}" for point in points],
        [f"{point['cpu_seconds']:.2f}" for point in points],
        [f"{point['peak_mb']:,.0f}" for point in points],
    )
    rows, seconds, peaks = (" / ".join(column) for column in columns)
    return name, rows, seconds, f"**{one['exponent']:.2f}**", f"{one['fixed_cpu_seconds']:.1f}", peaks
