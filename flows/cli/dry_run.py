"""What a run would do: which stages lie in the store, and which are still to be worked."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from blip_core import strict_json
from blip_core.recipes import Recipe
from blip_core.wiring import check_ready, prepare_environment, workplace
from flows.cli.commands.options import only_json
from flows.cli.running import show_tables

if TYPE_CHECKING:
    from tasks.stage import PlannedStage


def show_plan(recipe: Recipe, as_json: bool, until: str, dataset: str = "", adapter: str = "") -> None:
    """Print the stages of a run up to `dataset`, `adapter` or `scores`, and work none of them."""
    check_ready(recipe)
    if as_json:
        with only_json() as output:
            output.write(
                strict_json.dumps([asdict(one) for one in planned(recipe, until, dataset, adapter)]) + "\n"
            )
        return
    console = Console(file=sys.stdout)
    show_tables(console, recipe)
    for stage in planned(recipe, until, dataset, adapter):
        state = "there already" if stage.cached else "to be made"
        console.print(f"{stage.name:<20} {state}", highlight=False, style="dim" if stage.cached else None)


def planned(recipe: Recipe, until: str, dataset: str = "", adapter: str = "") -> list["PlannedStage"]:
    """The stages of a run in their order; the flows' own bodies say which.

    Args:
        recipe: what would be run.
        until: what would be made: `dataset`, `adapter` or `scores`.
        dataset: digest of the dataset that would be used instead of the recipe's own.
        adapter: digest of the adapter that would be used instead of the recipe's own.
    """
    prepare_environment(workplace())
    from flows.compare_variants import carries_own, judge, needs_dataset
    from flows.finetune import tune
    from flows.regenerate_dataset import grow_dataset
    from flows.variants.resolving import resolve_variants
    from tasks.chosen import chosen_pair
    from tasks.stage import only_planned

    with only_planned() as stages:
        rows, tuned = chosen_pair(dataset, adapter)
        if rows is None and (until != "scores" or needs_dataset(recipe, tuned)):
            rows = grow_dataset.fn(recipe)
        if until == "dataset":
            return stages
        if rows and (until == "adapter" or carries_own(recipe)):
            tuned = tuned or tune.fn(recipe, rows)
        if until == "scores":
            judge.fn(recipe, rows, tuned, resolve_variants(recipe, work=False))
        return stages
