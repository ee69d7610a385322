"""One recipe under several seeds: a run each, then what they found together."""

import sys
from collections.abc import Callable, Sequence

from rich.console import Console

from blip_core import strict_json
from blip_core.recipes import Recipe
from blip_core.reporting import StageLines, Summary
from blip_core.reporting.pooled import Pooled, show_pooled
from blip_core.wiring import check_ready, workplace
from flows.cli.commands.options import only_json
from flows.cli.running import Flow, prepare_run, show_tables

Load = Callable[[int], Flow]
Prepare = Callable[[Console], None]


def nothing_before(console: Console) -> None:
    """Nothing stands before the runs of the seeds."""


def run_seeds(
    recipes: Sequence[Recipe], load: Load, as_json: bool, prepare: Prepare = nothing_before
) -> None:
    """Run one recipe under several seeds in this process, and pool what they found.

    Args:
        recipes: the recipe as each seed has it.
        load: imports the flow and binds its parameters for a seed.
        as_json: whether a program reads: it gets one JSON object on standard output.
        prepare: works what all seeds need before the first of them is run.
    """
    for recipe in recipes:
        check_ready(recipe)
    if as_json:
        with only_json() as output:
            pooled, path = _run_all(recipes, load, Console(file=sys.stderr), prepare)
            output.write(strict_json.dumps({**pooled.to_dict(), "file": path}) + "\n")
        return
    console = Console(file=sys.stdout)
    pooled, path = _run_all(recipes, load, console, prepare)
    show_pooled(console, pooled)
    console.print(f"All of it: {path}", highlight=False, soft_wrap=True)


def _run_all(recipes: Sequence[Recipe], load: Load, console: Console, prepare: Prepare) -> tuple[Pooled, str]:
    first = recipes[0]
    show_tables(console, first)
    server = prepare_run(console)
    from flows.recording import recorded_below, shown_on, status_of
    from flows.results.seeds import keep_pooled, pool_runs

    if server:
        server.wait()
    place = workplace()
    seeds = [recipe.seed for recipe in recipes]
    tags = {"foundry.recipe": first.name, "foundry.profile": first.profile, "foundry.seeds": str(seeds)}
    above = place.tracker().start(first.experiment, f"{first.name}-{first.profile} seeds {seeds}", tags)
    try:
        with recorded_below(above), shown_on(StageLines(console)):
            prepare(console)
            runs = [_run(seed, load, console) for seed in seeds]
        pooled = pool_runs(first, seeds, runs)
        path = keep_pooled(pooled, above, place)
    except BaseException as error:
        above.finish(status_of(error))
        raise
    above.finish()
    return pooled, str(path)


def _run(seed: int, load: Load, console: Console) -> Summary:
    console.print(f"[bold]seed {seed}[/bold]", highlight=False)
    return Summary.from_dict(load(seed)())
