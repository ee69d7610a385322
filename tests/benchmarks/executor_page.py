"""The page of the executors' benchmark, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, table
from tests.benchmarks.processors import ENTRIES, Entry, kind_of

_HEADS = ("stage", "by", "times as fast", "spread", "seconds", "CPU seconds of workers")
_SHARING_HEADS = ("by", "shards", "seconds", "memory of the run grew by, MiB")


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Shards by several workers against one", ""]
    parts += ["Written by `make bench-executor`, from [executor.json](executor.json).", ""]
    for entry in results.get(ENTRIES, ()):
        parts += _on_cpu(entry)
    return "\n".join(parts)


def _on_cpu(entry: Entry) -> list[str]:
    stages = entry["stages"]
    shares = ", ".join(f"{one['ray_cpu_share']:.1%} ({name})" for name, one in stages.items())
    return [
        f"## {kind_of(entry)}",
        "",
        f"{entry['rows']} pictures of the bundled models in shards of {entry['rows_a_shard']}, one thread a "
        f"worker. Before it began {entry['load_before']} programs were at work on this machine: above zero, "
        "others took part of the cores, and two workers cannot be twice as fast as one.",
        "",
        *table(
            _HEADS, [_row(name, by, one) for name, stage in stages.items() for by, one in _engines(stage)]
        ),
        "",
        "Shards that are no work, a row each, into the store:",
        "",
        *table(_SHARING_HEADS, [_shared(by, one) for by, many in entry["sharing"].items() for one in many]),
        "",
        "- **Same bytes first:** equal; where they are not, nothing is timed.",
        "- **Time:** wall seconds from the first shard sent to the last gathered, the load of the models "
        "within, the start of workers not; median of the turns, engines in turn.",
        f"- **Ray beside its actors** (head, raylets, agents) took {shares} of the actors' CPU time.",
        machine_line(entry),
        "",
    ]


def _engines(stage: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(by, one) for by, one in stage.items() if isinstance(one, Mapping)]


def _row(stage: str, by: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    faster, seconds, cpu = one["times_as_fast"], one["seconds"], one["worker_cpu_seconds"]
    return (
        stage,
        by,
        f"**{faster['median']}**",
        f"{faster['low']} to {faster['high']}",
        seconds["median"],
        cpu["median"],
    )


def _shared(by: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    return (by, f"{one['shards']:,}", one["seconds"], one["grown_mib"])
