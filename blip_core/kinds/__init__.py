"""Task kinds: all that depends on what is asked, one file each, found by its `KIND`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from blip_core.errors import RecipeError
from blip_core.kinds.kind import Kind, Learn
from blip_core.kinds.plugged import plugged_kind
from blip_core.plugins import Plugin, names_installed


def _shipped() -> Iterator[Kind]:
    for module in iter_modules(__path__):
        kind = getattr(import_module(f"{__name__}.{module.name}"), "KIND", None)
        if isinstance(kind, Kind):
            yield kind


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _shipped()}
"""Those that ship, by name."""


def kind_of(task: str) -> Kind:
    """The kind of a row or a recipe, by the name it bears.

    Raises:
        RecipeError: There is none of that name.
    """
    if task in KINDS:
        return KINDS[task]
    kind: Kind = _plugged(task).part
    return kind


def kind_identity(task: str) -> str:
    """What changes when a kind does: its name, with its package where that is another.

    Raises:
        RecipeError: There is none of that name.
    """
    return task if task in KINDS else str(_plugged(task))


def _plugged(task: str) -> Plugin:
    try:
        return plugged_kind(task, tuple(KINDS))
    except RecipeError:
        installed = names_installed("kinds")
        if task in installed:
            raise
        allowed = ", ".join([*KINDS, *installed])
        raise RecipeError(f"there is no task {task!r}; allowed: {allowed}") from None


__all__ = ["KINDS", "Kind", "Learn", "kind_identity", "kind_of"]
