"""`foundry cache explain`: why each stage would run."""

from typing import Any

import typer

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, Overrides, ProfileName, RecipeName

group = typer.Typer(no_args_is_help=True, help="What decides whether a stage runs.")


@group.callback()
def cache() -> None:
    """Commands below `cache`; with one alone typer would drop its name."""


@group.command()
def explain(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Tell of each stage of a run why it would run: which field, input, model or code is another now.

    A stage is held against what the store keeps of its kind and was made of nearly the same.

    Example: foundry cache explain gallery-vqa --set labels.temperature=0.3
    """
    plan = load_recipe(recipe, profile, overrides or [])
    from flows.cli.catalogue import print_json
    from flows.cli.explaining import explained, show_explained

    told: list[dict[str, Any]] = explained(plan)
    if as_json:
        print_json({"stages": told})
    else:
        show_explained(told)
