"""Kinds of installed packages."""

from collections.abc import Collection
from functools import cache

from blip_core.errors import RecipeError
from blip_core.kinds.kind import Kind
from blip_core.plugins import Plugin, load_plugin


@cache  # asked for every row
def plugged_kind(name: str, shipped: Collection[str]) -> Plugin:
    """The plug-in that brings the kind of that name.

    Raises:
        RecipeError: It cannot be loaded, or is no kind of that name.
    """
    plugin = load_plugin("kinds", name, shipped)
    kind = plugin.part
    if not isinstance(kind, Kind):
        raise RecipeError(f"{plugin} is a {type(kind).__name__}; it must be made from blip_core.kinds.Kind")
    if kind.name != name:
        raise RecipeError(f"{plugin} calls itself {kind.name!r}; its entry point must have the same name")
    return plugin
