"""Why the stages of a run would run, from what the store keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from blip_core.recipes import Recipe
from blip_core.reporting.lineage_tables import short
from blip_core.store.explaining import Moved, explain, moved_words
from blip_core.wiring import check_ready, workplace
from flows.cli.dry_run import planned

_NAME_WIDTH = 20


def explained(recipe: Recipe) -> list[dict[str, Any]]:
    """Each stage of a run: whether it is kept, the nearest that is, and what moved since, as JSON values."""
    ready = check_ready(recipe)
    store = workplace().store
    stages = planned(ready, "run")
    artifacts = store.artifacts()
    told: list[dict[str, Any]] = []
    waiting = False
    for stage in stages:
        inputs = store.inputs_of(stage.key)
        kind = stage.key.rpartition("-")[0]
        kept = [one for one in artifacts if one.key.rpartition("-")[0] == kind]
        if stage.cached or inputs is None:
            found: dict[str, Any] = {"nearest": None, "moved": []}
        else:
            why = explain(inputs, kept)
            found = {
                "nearest": why.nearest.digest if why.nearest else None,
                "moved": [asdict(one) for one in why.moved if not (waiting and one.kind == "input")],
            }
        told.append(
            {"stage": stage.name, "kept": stage.cached, "waits": waiting and not stage.cached, **found}
        )
        waiting = waiting or not stage.cached
    return told


def show_explained(told: Sequence[Mapping[str, Any]]) -> None:
    """Print a stage a line, with what moved below it."""
    console = Console()
    for one in told:
        style = "dim" if one["kept"] else None
        console.print(
            f"{one['stage']:<{_NAME_WIDTH}} {_state(one)}",
            style=style,
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        for moved in one["moved"]:
            line = moved_words(Moved(**moved))
            console.print(f"{'':<{_NAME_WIDTH}}   {line}", highlight=False, soft_wrap=True, markup=False)


def _state(one: Mapping[str, Any]) -> str:
    if one["kept"]:
        return "there already"
    if one["nearest"] is None:
        return "would run: nothing of its kind tells what it was made of"
    if one["moved"]:
        return f"would run; since {short(one['nearest'])} moved:"
    if one["waits"]:
        return "would run, because a stage before it does"
    return "would run: what was made of the same is gone or damaged"
