"""Libraries that not everybody needs: the extra `gates` brings them (decision 4)."""

from importlib import import_module
from typing import Any

from blip_core.errors import RecipeError

EXTRA = "gates"
INSTALL = f"python -m pip install 'blip-foundry[{EXTRA}]'"


def library(module: str, package: str, gate: str) -> Any:
    """A module of an optional library.

    Raises:
        RecipeError: It is not installed; says which gate asks for it, and what to do.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise RecipeError(
            f"curation.{gate}.enabled is true, and {package}, which that gate asks, is not installed: "
            f"{INSTALL}, or switch the gate off"
        ) from error
