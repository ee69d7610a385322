"""`foundry compare`: every variant's answers, and the ladder."""

from collections.abc import Callable
from functools import partial
from typing import Any

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.commands.options import (
    AdapterDigest,
    AsJson,
    DatasetDigest,
    DryRun,
    Overrides,
    ProfileName,
    RecipeName,
)


def compare(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    dataset: DatasetDigest = "",
    adapter: AdapterDigest = "",
    overrides: Overrides = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let every variant of a recipe answer the same questions, and say with statistics who is better.

    Example: foundry compare gallery-vqa --set evaluation.style=generic
    """
    plan = load_recipe(recipe, profile, overrides or [])
    from flows.dry_run import show_plan
    from flows.running import run_flow

    if dry_run:
        show_plan(plan, as_json, "scores", dataset, adapter)
        return

    def load() -> Callable[[], dict[str, Any]]:
        from flows.compare_variants import compare_variants

        return partial(compare_variants, recipe, profile, dataset, adapter, overrides=overrides or [])

    run_flow(plan, load, as_json)
