"""The layouts that can be read: those that ship, and those of installed packages."""

from typing import Any

from blip_core.errors import RecipeError
from blip_core.plugins import load_plugin
from blip_core.recipes.native import LAYOUTS
from blip_core.sources.native.alt_texts import ALT_TEXTS
from blip_core.sources.native.fashion import FASHION
from blip_core.sources.native.gqa import GQA
from blip_core.sources.native.in_shop import IN_SHOP
from blip_core.sources.native.layout import Layout
from blip_core.sources.native.mit_states import MIT_STATES
from blip_core.sources.native.shards import SHARDS
from blip_core.sources.native.vqa import OKVQA, VQAV2
from blip_core.sources.native.zappos import UT_ZAPPOS


def shipped_layouts() -> tuple[Layout[Any], ...]:
    """The layouts that ship, as the recipes' settings list them."""
    return (VQAV2, OKVQA, GQA, UT_ZAPPOS, MIT_STATES, FASHION, IN_SHOP, SHARDS, ALT_TEXTS)


def layout_of(name: str) -> tuple[Layout[Any], str]:
    """A layout by its name, and the package that brings it; that is empty where it ships.

    Raises:
        RecipeError: No package brings it, it cannot be loaded, or is none.
    """
    for layout in shipped_layouts():
        if layout.name == name:
            return layout, ""
    plugin = load_plugin("layouts", name, LAYOUTS)
    if not isinstance(plugin.part, Layout):
        raise RecipeError(
            f"{plugin} is a {type(plugin.part).__name__}; it must be a blip_core.sources.native.Layout"
        )
    return plugin.part, plugin.origin
