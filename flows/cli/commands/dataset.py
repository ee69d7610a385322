"""`foundry dataset`: scenes, pictures, labels, dataset."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from blip_core.errors import RecipeError
from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, DryRun, Overrides, ProfileName, RecipeName


def dataset(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option(help="Extend the last version until it has so many rows.")] = 0,
    more: Annotated[int, typer.Option(help="Extend the last version by so many rows.")] = 0,
    balance: Annotated[
        float,
        typer.Option(
            help="Extend it until the rarest letter and category have this share of the commonest's."
        ),
    ] = 0.0,
    hours: Annotated[float, typer.Option(help="Begin nothing more after so many hours.")] = 0.0,
    requests: Annotated[int, typer.Option(help="Ask the models for no more texts than this.")] = 0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Grow the dataset of a recipe. Whatever the store already holds is reused.

    With --rows, --more, --balance, --hours or --requests the last version is extended: earlier rows stay as
    they are. Extended datasets go in steps of 96 scenes.

    Example: foundry dataset gallery-vqa --more 400
    """
    plan = load_recipe(recipe, profile, overrides or [])
    numbers: dict[str, Any] = {"rows": rows, "more": more, "balance": balance, "hours": hours}
    numbers |= {"requests": requests}
    from blip_core.dataset.growth import Target
    from flows.cli.dry_run import show_plan
    from flows.cli.running import run_flow

    if Target(**numbers).is_set and dry_run:
        raise RecipeError("how far a dataset grows is found out on the way: leave out --dry-run")
    if dry_run:
        show_plan(plan, as_json, "dataset")
        return

    def load() -> Callable[[], dict[str, Any]]:
        from flows.regenerate_dataset import regenerate_dataset

        return partial(regenerate_dataset, recipe, profile, overrides=overrides or [], **numbers)

    run_flow(plan, load, as_json)
