"""`foundry recipes` and `foundry show`: what there is to run."""

import typer

from blip_core.recipes import DEFAULT_PROFILE, load_recipe, profile_names, recipe_names
from flows.cli.commands.options import Overrides, ProfileName, RecipeName


def recipes() -> None:
    """List the shipped recipes and profiles."""
    for name in recipe_names():
        typer.echo(f"{name:24} {load_recipe(name).title}")
    typer.echo(f"profiles: {', '.join(profile_names())}")


def show(recipe: RecipeName, profile: ProfileName = DEFAULT_PROFILE, overrides: Overrides = None) -> None:
    """Print a recipe with profile and overrides worked in, as TOML that can be run again."""
    typer.echo(load_recipe(recipe, profile, overrides or []).to_toml(), nl=False)
