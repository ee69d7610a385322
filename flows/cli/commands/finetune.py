"""`foundry finetune`: an adapter."""

from collections.abc import Callable
from functools import partial
from typing import Any

from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, DatasetDigest, DryRun, Overrides, ProfileName, RecipeName


def finetune(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    dataset: DatasetDigest = "",
    overrides: Overrides = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Tune the adapter of a recipe, on its own dataset or on another that you name.

    Example: foundry finetune gallery-vqa --set finetune.epochs=8
    """
    plan = load_recipe(recipe, profile, overrides or [])
    from flows.cli.dry_run import show_plan
    from flows.cli.running import run_flow

    if dry_run:
        show_plan(plan, as_json, "adapter", dataset)
        return

    def load() -> Callable[[], dict[str, Any]]:
        from flows.finetune import finetune as flow

        return partial(flow, recipe, profile, dataset, overrides=overrides or [])

    run_flow(plan, load, as_json)
