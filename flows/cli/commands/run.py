"""`foundry run`: the whole pipeline."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, DryRun, Overrides, ProfileName, RecipeName

MOST_SEEDS = 100

Seeds = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=MOST_SEEDS,
        help="Run N seeds, the recipe's own and those after it, and pool their findings.",
    ),
]


def run(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    seeds: Seeds = 1,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: dataset, adapter, ladder. Whatever the store already holds is reused.

    Example: foundry run gallery-vqa --set scenes.count=100
    """
    changed = overrides or []
    first = load_recipe(recipe, profile, changed)
    plans = [first]
    plans += [load_recipe(recipe, profile, [*changed, f"seed={first.seed + i}"]) for i in range(1, seeds)]
    from flows.cli.dry_run import show_plan, show_plans
    from flows.cli.running import run_flow
    from flows.cli.seeded import run_seeds

    def load(seed: int | None = None) -> Callable[[], dict[str, Any]]:
        from flows.pipeline import pipeline

        seeded = changed if seed is None else [*changed, f"seed={seed}"]
        return partial(pipeline, recipe, profile, overrides=seeded)

    if dry_run:
        show_plans(plans, as_json) if seeds > 1 else show_plan(first, as_json, "run")
        return
    run_seeds(plans, load, as_json) if seeds > 1 else run_flow(first, load, as_json)
