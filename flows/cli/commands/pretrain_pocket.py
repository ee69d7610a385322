"""`foundry pretrain-pocket`: the bundled models, anew."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from blip_core import strict_json
from flows.cli.commands.options import AsJson, DryRun, only_json


def pretrain_pocket(
    build: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for parts and finished checkpoints.")
    ],
    member: Annotated[
        list[str] | None,
        typer.Option(help="Train only this member; repeat it for several."),
    ] = None,
    pace: Annotated[float, typer.Option(help="Share of the planned steps, for trials.", min=0.0001)] = 1.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train the bundled models anew: hours on two cores, resumable. You do not need this to run a recipe.

    Example: foundry pretrain-pocket pocket-build --member writer --pace 0.1
    """
    from flows.cli.running import planned_pretraining, run_pretraining

    if dry_run:
        plan = planned_pretraining(build, member or [])
        typer.echo(
            strict_json.dumps(plan) if as_json else "\n".join(f"{name:<12} {plan[name]}" for name in plan)
        )
        return
    if not as_json:
        for folder in run_pretraining(build, member or [], pace, sys.stdout):
            typer.echo(folder)
        return
    with only_json() as output:
        folders = run_pretraining(build, member or [], pace, sys.stderr)
        output.write(strict_json.dumps([str(folder) for folder in folders]) + "\n")
