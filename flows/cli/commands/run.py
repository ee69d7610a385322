"""`foundry run`: the whole pipeline."""

from collections.abc import Callable
from functools import partial
from typing import Any

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, DryRun, Overrides, ProfileName, RecipeName


def run(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: dataset, adapter, ladder. Whatever the store already holds is reused.

    Example: foundry run gallery-vqa --set scenes.count=100
    """
    plan = load_recipe(recipe, profile, overrides or [])
    from flows.cli.dry_run import show_plan
    from flows.cli.running import run_flow

    if dry_run:
        show_plan(plan, as_json, "run")
        return

    def load() -> Callable[[], dict[str, Any]]:
        from flows.pipeline import pipeline

        return partial(pipeline, recipe, profile, overrides=overrides or [])

    run_flow(plan, load, as_json)
