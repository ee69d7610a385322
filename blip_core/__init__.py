"""blip-foundry's library: grows data for BLIP-2, tunes it and judges it. Knows no Prefect.

The names of `__all__` are its public face, kept from release to release; each is loaded when it is first
asked for, so that importing a room of the library loads nothing else. See `blip_core.api`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blip_core.api import (
        Model,
        label_pictures,
        load_model,
        paint_pictures,
        read_split,
        write_scenes,
    )
    from blip_core.recipes import load_recipe

__all__ = [
    "Model",
    "label_pictures",
    "load_model",
    "load_recipe",
    "paint_pictures",
    "read_split",
    "write_scenes",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from blip_core import api

    return getattr(api, name)
