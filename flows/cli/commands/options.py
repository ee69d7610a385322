"""What the commands share: options of the same name and meaning, and the way results reach programs."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, TextIO

import typer

from blip_core.recipes import Recipe, field_names, load_recipe, profile_names, recipe_names


def complete_recipe(incomplete: str) -> list[str]:
    """Shipped recipes that begin so; a shell adds files of its own."""
    return [name for name in recipe_names() if name.startswith(incomplete)]


def complete_profile(incomplete: str) -> list[str]:
    """Shipped profiles that begin so."""
    return [name for name in profile_names() if name.startswith(incomplete)]


def complete_field(incomplete: str) -> list[str]:
    """Fields of a recipe that begin so, ready for their values."""
    return [f"{name}=" for name in field_names(Recipe) if name.startswith(incomplete)]


RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        autocompletion=complete_recipe,
        help="Name of a shipped recipe, or path of a TOML file.",
    ),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        autocompletion=complete_profile,
        help=f"Checkpoints and hardware: {', '.join(profile_names())}, or the path of a TOML file.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        autocompletion=complete_field,
        help="Change one field, for example scenes.count=40; repeat it for more. `foundry show RECIPE` lists "
        "all fields, docs/reference/recipe.md explains them.",
    ),
]
DatasetDigest = Annotated[
    str,
    typer.Option(
        "--dataset", metavar="DIGEST", help="Use the dataset with this digest, not the recipe's own."
    ),
]
AdapterDigest = Annotated[
    str,
    typer.Option(
        "--adapter", metavar="DIGEST", help="Use the adapter with this digest, not the recipe's own."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, without doing it.")]
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


@contextmanager
def only_json() -> Iterator[TextIO]:
    """Send all that any library prints to standard error; what the given stream gets is standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as output, redirect_stdout(sys.stderr):
            yield output
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def load_seeds(recipe: str, profile: str, overrides: Sequence[str], seeds: int) -> list[Recipe]:
    """The recipe as each seed has it: its own and those after it."""
    first = load_recipe(recipe, profile, overrides)
    others = (f"seed={first.seed + further}" for further in range(1, seeds))
    return [first, *(load_recipe(recipe, profile, [*overrides, seed]) for seed in others)]
