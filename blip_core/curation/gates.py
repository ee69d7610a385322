"""Which gates there are, and which of them a recipe sends rows through."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from blip_core.curation.gate import Gate
from blip_core.recipes import Curation, Section


def shipped_gates() -> tuple[Gate[Any], ...]:
    """The gates of this package in their order, which is that of their sections in a recipe."""
    return tuple(_shipped(name) for name in Curation.model_fields)


def gates_on(curation: Curation) -> Iterator[tuple[Gate[Any], Section]]:
    """The gates that a recipe switches on, in their order, each with its settings."""
    for name in Curation.model_fields:
        settings = getattr(curation, name)
        if settings.enabled:
            yield _shipped(name), settings


def _shipped(name: str) -> Gate[Any]:
    """A section's gate is `GATE` in the file of its name: to add one is to write both and nothing else."""
    gate: Gate[Any] = import_module(f"blip_core.curation.{name}").GATE
    return gate
