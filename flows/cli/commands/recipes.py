"""`foundry recipes` and `foundry show`: what there is to run."""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from blip_core.errors import PlaceError
from blip_core.recipes import (
    DEFAULT_PROFILE,
    load_recipe,
    profile_names,
    recipe_names,
    recipe_text,
    show_recipe,
)
from flows.cli.commands.options import Overrides, ProfileName, RecipeName, complete_recipe

Parts = Annotated[
    bool,
    typer.Option("--parts", help="List what recipes can name, that of installed packages too."),
]
Copy = Annotated[
    str,
    typer.Option(
        "--copy",
        metavar="NAME",
        autocompletion=complete_recipe,
        help="Write the shipped recipe NAME to NAME.toml here, to be changed.",
    ),
]


def recipes(parts: Parts = False, copy: Copy = "") -> None:
    """List the shipped recipes and profiles.

    Example: foundry recipes --copy gallery-vqa
    """
    if parts:
        _show_parts()
    elif copy:
        _copy(copy)
    else:
        for name in recipe_names():
            typer.echo(f"{name:24} {load_recipe(name).title}")
        typer.echo(f"profiles: {', '.join(profile_names())}")


def show(recipe: RecipeName, profile: ProfileName = DEFAULT_PROFILE, overrides: Overrides = None) -> None:
    """Print a recipe with profile and overrides worked in, as TOML that can be run again.

    A comment says of each value where it came from: the recipe, the profile, --set, or a default.
    """
    typer.echo(show_recipe(recipe, profile, overrides or []), nl=False)


def _show_parts() -> None:
    from blip_core.reporting.parts import all_parts

    for group, found in groupby(all_parts(), key=lambda part: part.group):
        typer.echo(f"{group}:")
        for part in found:
            origin = f" ({part.origin})" if part.origin else ""
            typer.echo(f"  {part.name:22} {part.words}{origin}".rstrip())


def _copy(name: str) -> None:
    text, target = recipe_text(name), Path(f"{name}.toml")
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise PlaceError(
            f"{target} is there already; it was left as it is: rename it, or go elsewhere"
        ) from None
    except OSError as error:
        raise PlaceError(f"{target} cannot be written here: {error.strerror}") from error
    typer.echo(f"wrote {target}; change it, then: foundry run {target}")
