"""Which gates there are, and which of them a recipe sends rows through."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from blip_core.curation.gate import Gate
from blip_core.errors import RecipeError
from blip_core.plugins import load_plugin
from blip_core.recipes import Curation, Section

_PLUGINS = "plugins"  # of a recipe's sections the one that is several gates
_NO_GATE = "alarm"  # and the one that is none


def shipped_gates() -> tuple[Gate[Any], ...]:
    """The gates of this package in their order, which is that of their sections in a recipe."""
    return tuple(_shipped(name) for name in Curation.model_fields if name not in (_PLUGINS, _NO_GATE))


def gates_on(curation: Curation) -> Iterator[tuple[Gate[Any], Section]]:
    """The gates that a recipe switches on, in their order, each with its settings.

    Raises:
        RecipeError: A plug-in that it names cannot be loaded, or is no gate.
    """
    for name in Curation.model_fields:
        section = getattr(curation, name)
        if name == _PLUGINS:
            yield from _plugged(section)
        elif name != _NO_GATE and section.enabled:
            yield _shipped(name), section


def _shipped(name: str) -> Gate[Any]:
    """A section's gate is `GATE` in the file of its name: to add one is to write both and nothing else."""
    gate: Gate[Any] = import_module(f"blip_core.curation.{name}").GATE
    return gate


def _plugged(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Gate[Any], Section]]:
    """Gates of installed packages; one that declares `enabled` can be switched off by it."""
    for name, table in tables.items():
        gate = plugged_gate(name)
        settings = gate.settings.model_validate(table)
        if getattr(settings, "enabled", True):
            yield gate, settings


def check_judges(name: str, task: str) -> None:
    """Make sure that a gate, of this package or an installed one, says something of rows of a kind.

    Raises:
        RecipeError: It passes them all by, or cannot be loaded.
    """
    gate = _shipped(name) if name in Curation.model_fields else plugged_gate(name)
    if gate.kinds and task not in gate.kinds:
        raise RecipeError(
            f"{gate} judges rows of the task {' or '.join(sorted(gate.kinds))}, and this recipe's is {task}: "
            "all of its rows would pass"
        )


def plugged_gate(name: str) -> Gate[Any]:
    """The gate of that name of an installed package, which names itself when it fails.

    Raises:
        RecipeError: There is none, it cannot be loaded, or it is no gate of that name.
    """
    plugin = load_plugin("gates", name, Curation.model_fields)
    gate = plugin.part
    if not isinstance(gate, Gate):
        raise RecipeError(f"{plugin} is a {type(gate).__name__}; it must be a blip_core.curation.Gate")
    if gate.name != name:
        raise RecipeError(f"{plugin} calls itself {gate.name!r}; its entry point must have the same name")
    return replace(gate, judge=plugin.guarded(gate.judge), origin=plugin.origin)
