"""`foundry run`: the whole pipeline."""

from collections.abc import Callable
from functools import partial
from typing import Any

from blip_core.recipes import DEFAULT_PROFILE
from flows.cli.commands.options import (
    AsJson,
    DryRun,
    Overrides,
    ProfileName,
    RecipeName,
    Seeds,
    load_seeds,
)


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
    plans = load_seeds(recipe, profile, changed, seeds)
    from flows.cli.dry_run import show_plan, show_plans
    from flows.cli.running import run_flow
    from flows.cli.seeded import run_seeds

    def load(seed: int | None = None) -> Callable[[], dict[str, Any]]:
        from flows.pipeline import pipeline

        seeded = changed if seed is None else [*changed, f"seed={seed}"]
        return partial(pipeline, recipe, profile, overrides=seeded)

    if dry_run:
        show_plans(plans, as_json) if seeds > 1 else show_plan(plans[0], as_json, "run")
        return
    run_seeds(plans, load, as_json) if seeds > 1 else run_flow(plans[0], load, as_json)
