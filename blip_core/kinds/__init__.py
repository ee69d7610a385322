"""Task kinds: all that depends on what is asked, one file each, found by its `KIND`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from blip_core.errors import RecipeError
from blip_core.kinds.kind import Kind, Learn


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
    if task not in KINDS:
        raise RecipeError(f"there is no task {task!r}; allowed: {', '.join(KINDS)}")
    return KINDS[task]


__all__ = ["KINDS", "Kind", "Learn", "kind_of"]
