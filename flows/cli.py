"""The command line `foundry`. Starting it loads neither torch nor Prefect nor MLflow."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import typer

from blip_core.errors import FoundryError
from blip_core.recipes import DEFAULT_PROFILE, load_recipe, profile_names, recipe_names
from flows.servers import MLFLOW_PORT, PREFECT_PORT

app = typer.Typer(
    help="Grow question-answering data, tune BLIP-2 on it, and say with statistics whether that helped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
PrefectPort = Annotated[int, typer.Option(help="Port of the Prefect page.", min=1, max=65535)]
MlflowPort = Annotated[int, typer.Option(help="Port of the MLflow page.", min=1, max=65535)]


@app.command()
def run(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: dataset, adapter, ladder. What is there already is not made again."""
    load_recipe(recipe, profile, overrides or [])  # a mistake shows before anything starts
    from flows.running import run_pipeline

    if not as_json:
        run_pipeline(recipe, profile, overrides or [], sys.stdout, closing_lines=True)
        return
    with only_json() as output:
        summary = run_pipeline(recipe, profile, overrides or [], sys.stderr, closing_lines=False)
        output.write(json.dumps(summary) + "\n")


@app.command()
def recipes() -> None:
    """List the shipped recipes and profiles."""
    for name in recipe_names():
        typer.echo(f"{name:24} {load_recipe(name).title}")
    typer.echo(f"profiles: {', '.join(profile_names())}")


@app.command()
def show(recipe: RecipeName, profile: ProfileName = DEFAULT_PROFILE, overrides: Overrides = None) -> None:
    """Print a recipe with profile and overrides worked in, as TOML that can be run again."""
    typer.echo(load_recipe(recipe, profile, overrides or []).to_toml(), nl=False)


@app.command()
def ui(prefect_port: PrefectPort = PREFECT_PORT, mlflow_port: MlflowPort = MLFLOW_PORT) -> None:
    """Serve the Prefect and MLflow pages on loopback, with a worker that executes; Ctrl-C ends all."""
    from blip_core.wiring import prepare_environment, workplace
    from flows.ui import Ports, serve_pages

    place = workplace()
    prepare_environment(place)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell's background jobs ignore SIGINT unless told otherwise
        signal.signal(number, _interrupt)
    try:
        serve_pages(place, Ports(prefect_port, mlflow_port), typer.echo)
    except KeyboardInterrupt:
        typer.echo("Ended.")


@app.command()
def pretrain_pocket(
    build: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for parts and finished checkpoints.")
    ],
    member: Annotated[
        list[str] | None, typer.Option(help="Train this member alone; may come often. All without.")
    ] = None,
    pace: Annotated[float, typer.Option(help="Share of the planned steps, for trials.", min=0.0001)] = 1.0,
) -> None:
    """Train the bundled models anew: hours on two cores, resumable. Nobody needs this to run a recipe."""
    from flows.running import run_pretraining

    for folder in run_pretraining(build, member or [], pace, sys.stdout):
        typer.echo(folder)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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


def main() -> None:
    """Entry of the console script: an error raised on purpose is one line, any other keeps its trace."""
    try:
        app()
    except FoundryError as error:
        typer.echo(f"foundry: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
