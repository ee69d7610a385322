"""The page of the benchmark of what a person waits for, from its results."""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.finetune_page import machine_line, table
from tests.benchmarks.processors import ENTRIES, Entry, kind_of, spread_words

_HEADS = ("command", "server", "seconds", "spread", "CPU seconds", "load before")
_SERVERS = {"alone": "started for the command", "beside": "`foundry ui` is up"}


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Waiting at the door", "", "Written by `make bench-door`, from [door.json](door.json).", ""]
    for entry in results.get(ENTRIES, ()):
        parts += _on_cpu(entry)
    return "\n".join(parts)


def _on_cpu(entry: Entry) -> list[str]:
    commands = {
        "run": "`foundry run gallery-vqa` with 20 scenes, all of it cached",
        "predict": f"`foundry predict` of {entry['rows']} new rows",
    }
    rows = [
        _row(says, server, entry[where][name])
        for name, says in commands.items()
        for where, server in _SERVERS.items()
    ]
    turns = entry["alone"]["run"]["seconds"]["pairs"]
    return [
        f"## {kind_of(entry)}",
        "",
        *table(_HEADS, rows),
        "",
        f"- **Time:** from the command to its end, in a process of its own; median of {turns}, run and "
        "predict in turn. CPU seconds are those of the command and of all it started, an embedded server "
        "among them.",
        "- **Load:** of one minute, before each command; what the command before it took is part of it. Far "
        "above one, other programs took part of the cores.",
        "- **Nothing left out:** every stage of the run was cached, all rows were answered; else nothing is "
        "told.",
        machine_line(entry),
        "",
    ]


def _row(command: str, server: str, one: Mapping[str, Any]) -> tuple[object, ...]:
    seconds = one["seconds"]
    return (
        command,
        server,
        f"**{seconds['median']:.1f}**",
        spread_words(seconds),
        one["cpu"]["median"],
        one["load"]["median"],
    )
