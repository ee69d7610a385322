"""`foundry plan`: what a run would take, before anything is downloaded."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from blip_core import strict_json
from blip_core.recipes import DEFAULT_PROFILE, Recipe, load_recipe
from flows.cli.commands.options import AsJson, Overrides, ProfileName, RecipeName, only_json

if TYPE_CHECKING:
    from blip_core.planning import Plan

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


def plan(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    rows: Rows = None,
    card: CardName = "",
    rates: Rates = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would take: parameters, memory of every stage, cards that hold it, disk and time.

    Needs no network and no weights, and changes nothing.

    Example: foundry plan gallery-vqa --profile workstation
    """
    planned = load_recipe(recipe, profile, overrides or [])
    if not as_json:
        _show(_plan(planned, rows, card, rates), sys.stdout)
        return
    with only_json() as output:
        output.write(strict_json.dumps(_plan(planned, rows, card, rates).to_dict()) + "\n")


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


def _bundled_rows(recipe: Recipe) -> int:
    if recipe.evaluation.kind != "bundled":
        return 0
    from blip_core.pocket.evalset import BUNDLED

    chosen = BUNDLED[recipe.evaluation.style]
    return chosen.pictures * chosen.questions


def _show(planned: "Plan", stream: TextIO) -> None:
    from rich.console import Console

    from blip_core.planning import show

    console = Console(file=stream, highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)  # a figure without its end would be a wrong figure
    show(console, planned)
