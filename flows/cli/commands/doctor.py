"""`foundry doctor`: what is wrong with this machine, and how to mend it."""

import shlex
import sys
from dataclasses import asdict
from typing import Annotated, Any, TextIO

import typer

from blip_core import strict_json
from blip_core.errors import PlaceError
from blip_core.recipes import DEFAULT_PROFILE, Recipe, load_recipe
from blip_core.wiring.servers import MLFLOW_PORT, PREFECT_PORT
from flows.cli.commands.options import AsJson, Overrides, ProfileName, only_json

RecipeToCheck = Annotated[
    str,
    typer.Argument(metavar="[RECIPE]", help="Also check the checkpoints and the device of this recipe."),
]
Thorough = Annotated[bool, typer.Option("--thorough", help="Read every byte of artefacts and checkpoints.")]
PrefectPort = Annotated[int, typer.Option(help="Port of the Prefect page.", min=1, max=65535)]
MlflowPort = Annotated[int, typer.Option(help="Port of the MLflow page.", min=1, max=65535)]


def doctor(
    recipe: RecipeToCheck = "",
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    thorough: Thorough = False,
    prefect_port: PrefectPort = PREFECT_PORT,
    mlflow_port: MlflowPort = MLFLOW_PORT,
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, disk, memory, GPU, store, checkpoints and servers, without changing anything.

    Exits with code 1 if there is a problem; warnings alone leave it at 0.

    Example: foundry doctor gallery-vqa --profile workstation
    """
    plan = load_recipe(recipe, profile, overrides or []) if recipe else None
    sets = [part for override in overrides or [] for part in ("--set", override)]
    typed = shlex.join([recipe or "RECIPE", "--profile", profile, *sets])
    if not as_json:
        told = _examine(plan, thorough, (prefect_port, mlflow_port), typed, sys.stdout)
    else:
        with only_json() as output:
            told = _examine(plan, thorough, (prefect_port, mlflow_port), typed, sys.stderr)
            output.write(strict_json.dumps(told) + "\n")
    if not told["ok"]:
        raise typer.Exit(1)


def _examine(
    recipe: Recipe | None, thorough: bool, ports: tuple[int, int], typed: str, stream: TextIO
) -> dict[str, Any]:
    from rich.console import Console

    from blip_core.wiring import prepare_environment, workplace
    from flows.cli.checks.finding import Case, Finding
    from flows.cli.doctor import examine, show, verdict

    console = Console(file=stream, highlight=False, soft_wrap=True)
    findings: list[Finding] = []
    try:
        place = workplace()
    except PlaceError as error:  # without a home there is nothing else to look at
        findings.append(Finding("home", "problem", str(error)))
        show(console, findings[-1])
    else:
        prepare_environment(place)
        for finding in examine(Case(place, recipe, thorough, *ports, typed)):
            findings.append(finding)
            show(console, finding)
    console.print(verdict(findings))
    ok = all(finding.state != "problem" for finding in findings)
    return {"ok": ok, "findings": [asdict(finding) for finding in findings]}
