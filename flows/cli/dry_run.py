"""What a run would do: which stages lie in the store, and which are still to be worked."""

import sys
from collections.abc import Sequence
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


_NAME_WIDTH = 20


def show_plan(recipe: Recipe, as_json: bool, until: str, dataset: str = "", adapter: str = "") -> None:
    """Print the stages of a run up to what would be made, see `planned`, and work none of them."""
    recipe = check_ready(recipe)
    if as_json:
        with only_json() as output:
            output.write(
                strict_json.dumps([asdict(one) for one in planned(recipe, until, dataset, adapter)]) + "\n"
            )
        return
    console = Console(file=sys.stdout)
    show_tables(console, recipe)
    _show_stages(console, planned(recipe, until, dataset, adapter))


def show_plans(recipes: Sequence[Recipe], as_json: bool) -> None:
    """Print the stages of whole runs of a recipe under several seeds, and work none of them."""
    ready = [check_ready(recipe) for recipe in recipes]
    if as_json:
        with only_json() as output:
            told = {str(one.seed): [asdict(stage) for stage in planned(one, "run")] for one in ready}
            output.write(strict_json.dumps(told) + "\n")
        return
    console = Console(file=sys.stdout)
    show_tables(console, ready[0])
    for recipe in ready:
        console.print(f"[bold]seed {recipe.seed}[/bold]", highlight=False)
        _show_stages(console, planned(recipe, "run"))


def _show_stages(console: Console, stages: Sequence["PlannedStage"]) -> None:
    width = max(_NAME_WIDTH, *(len(stage.name) for stage in stages))
    for stage in stages:
        state = "there already" if stage.cached else "to be made"
        style = "dim" if stage.cached else None
        console.print(f"{stage.name:<{width}} {state}", highlight=False, style=style, soft_wrap=True)


def planned(recipe: Recipe, until: str, dataset: str = "", adapter: str = "") -> list["PlannedStage"]:
    """The stages of a run in their order; the flows' own bodies say which.

    Args:
        recipe: what would be run.
        until: what would be made: `dataset`, `adapter`, `scores` with what they need, or a whole `run`.
        dataset: digest of the dataset that would be used instead of the recipe's own.
        adapter: digest of the adapter that would be used instead of the recipe's own.
    """
    prepare_environment(workplace())
    from flows.compare_variants import judge, make_compared
    from flows.phases import Phases
    from flows.variants.resolving import resolve_variants
    from tasks.chosen import chosen_pair
    from tasks.stage import only_planned

    with only_planned() as stages:
        made = Phases(recipe, *chosen_pair(dataset, adapter))
        if until == "scores":
            make_compared(recipe, made)
        else:
            for phase in made.names:
                made.grow(phase) if until == "dataset" else made.tune(phase)
        if until in ("dataset", "adapter"):
            return stages
        judge.fn(recipe, made.datasets, made.adapters, resolve_variants(recipe, work=False))
        return stages
