"""What the commands share: options of the same name and meaning, and the way results reach programs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, TextIO

import typer

from blip_core.recipes import profile_names

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="Name of a shipped recipe, or path of a TOML file.")
]
ProfileName = Annotated[
    str, typer.Option("--profile", help="Checkpoints and hardware: " + ", ".join(profile_names()))
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, as scenes.count=40; may come often."),
]
DatasetDigest = Annotated[
    str,
    typer.Option("--dataset", metavar="DIGEST", help="Another dataset than the recipe's own: its digest."),
]
AdapterDigest = Annotated[
    str,
    typer.Option("--adapter", metavar="DIGEST", help="Another adapter than the recipe's own: its digest."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


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
