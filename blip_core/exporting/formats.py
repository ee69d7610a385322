"""Which formats there are."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import blip_core.exporting
from blip_core.errors import UserMistake
from blip_core.exporting.form import Format


@cache
def _formats() -> Mapping[str, Format]:
    modules = [
        import_module(f"blip_core.exporting.{one.name}") for one in iter_modules(blip_core.exporting.__path__)
    ]
    found = [module.FORMAT for module in modules if isinstance(getattr(module, "FORMAT", None), Format)]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def format_names() -> list[str]:
    """Names of all formats, in order."""
    return list(_formats())


def format_of(name: str) -> Format:
    """The format of a name.

    Raises:
        UserMistake: There is none.
    """
    if name not in _formats():
        raise UserMistake(f"there is no export format {name!r}; allowed: {', '.join(_formats())}")
    return _formats()[name]
