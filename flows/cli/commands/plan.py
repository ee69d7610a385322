"""`foundry plan`: what a run would take, before anything is downloaded."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from blip_core import strict_json
from blip_core.recipes import DEFAULT_PROFILE, Recipe, load_recipe
from flows.cli.commands.options import AsJson, Overrides, ProfileName, RecipeName, only_json

if TYPE_CHECKING:
    from blip_core.planning import Plan, Scaled

_LEAST_WIDTH = 100  # columns that the tables take

Rows = Annotated[
    int | None,
    typer.Option(
        "--rows",
        metavar="NUMBER",
        min=1,
        max=100_000_000,
        help="Plan for so many dataset rows instead of the recipe's own.",
    ),
]
CardName = Annotated[
    str,
    typer.Option(
        "--card",
        metavar="NAME",
        help="Derive times for this card, for example H200; by default this machine's, or one that fits.",
    ),
]
Rates = Annotated[
    Path | None,
    typer.Option(
        "--rates",
        metavar="FILE",
        help="Times measured elsewhere: the rates.json of a report on a GPU; else that of the home, if any.",
    ),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        "--gpus",
        metavar="NUMBER",
        min=1,
        max=4096,
        help="Say besides what it takes on so many GPUs: hours, price, what bounds it, what breaks first.",
    ),
]
Price = Annotated[
    float | None,
    typer.Option(
        "--gpu-price",
        metavar="NUMBER",
        min=0.0,
        help="With --gpus: price of an hour of one GPU, in your currency; the default is an assumption.",
    ),
]


def plan(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    rows: Rows = None,
    card: CardName = "",
    rates: Rates = None,
    gpus: Gpus = None,
    gpu_price: Price = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would take: parameters, memory of every stage, cards that hold it, disk and time.

    Needs no network and no weights, and changes nothing.

    Example: foundry plan gallery-vqa --profile workstation
    """
    planned = load_recipe(recipe, profile, overrides or [])
    if not as_json:
        whole = _plan(planned, rows, card, rates)
        _show(whole, scaled_plan(whole, gpus, gpu_price) if gpus else None, sys.stdout)
        return
    with only_json() as output:
        whole = _plan(planned, rows, card, rates)
        told = {"scaled": scaled_plan(whole, gpus, gpu_price).to_dict()} if gpus else {}
        output.write(strict_json.dumps(whole.to_dict() | told) + "\n")


def _plan(recipe: Recipe, rows: int | None, card: str, rates: Path | None) -> "Plan":
    from blip_core.pocket import models_dir
    from blip_core.wiring import prepare_environment, workplace

    place = workplace()
    prepare_environment(place)
    from blip_core.planning import make_plan, rates_here, read_rates

    here = rates_here(place.journal, place.store)
    file = rates or (place.rates if place.rates.exists() else None)
    elsewhere = read_rates(file) if file else []
    return make_plan(
        recipe, place.models, models_dir(), here, rows, _bundled_rows(recipe), card, elsewhere=elsewhere
    )


def scaled_plan(planned: "Plan", gpus: int, price: float | None) -> "Scaled":
    """A plan on so many GPUs, in shards as stages make them; without a price, at the assumed one."""
    from blip_core.planning import GPU_HOUR_PRICE, scale
    from tasks.paint_pictures import rows_a_shard
    from tasks.shards import ROWS_PER_SHARD, whole_batches

    recipe = planned.recipe
    rows = {
        "scenes": recipe.scenes.per_call * recipe.scenes.batch_size,
        "pictures": rows_a_shard(recipe),
        "labels": ROWS_PER_SHARD,
        "predict": whole_batches(recipe.inference.batch_size),
    }
    return scale(planned, gpus, GPU_HOUR_PRICE if price is None else price, rows)


def _bundled_rows(recipe: Recipe) -> int:
    if recipe.evaluation.kind != "bundled":
        return 0
    from blip_core.pocket.evalset import BUNDLED

    chosen = BUNDLED[recipe.evaluation.style]
    return chosen.pictures * chosen.questions


def _show(planned: "Plan", scaled: "Scaled | None", stream: TextIO) -> None:
    from rich.console import Console

    from blip_core.planning import show, show_scaled

    console = Console(file=stream, highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)  # a figure without its end would be a wrong figure
    show(console, planned)
    if scaled:
        show_scaled(console, scaled)
