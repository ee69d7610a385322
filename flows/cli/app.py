"""The command line `foundry`. Starting it loads neither torch nor Prefect nor MLflow."""

import atexit
import errno
import gc
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from blip_core.connecting import without_password
from blip_core.errors import FoundryError
from flows.cli.commands.ablate import ablate
from flows.cli.commands.adapters import adapters
from flows.cli.commands.backup import backup, restore
from flows.cli.commands.cache import group as cache
from flows.cli.commands.compare import compare
from flows.cli.commands.dataset import dataset
from flows.cli.commands.datasets_group import group as datasets
from flows.cli.commands.doctor import doctor
from flows.cli.commands.export import export
from flows.cli.commands.finetune import finetune
from flows.cli.commands.gather import gather
from flows.cli.commands.merge import merge
from flows.cli.commands.plan import plan
from flows.cli.commands.predict import predict
from flows.cli.commands.prefetch import prefetch
from flows.cli.commands.pretrain_pocket import pretrain_pocket
from flows.cli.commands.probe import probe
from flows.cli.commands.push import push
from flows.cli.commands.recipes import recipes, show
from flows.cli.commands.reports import reports
from flows.cli.commands.review import group as review
from flows.cli.commands.run import run
from flows.cli.commands.serve import serve
from flows.cli.commands.store import group as store
from flows.cli.commands.trace import trace
from flows.cli.commands.ui import ui
from flows.cli.streams import settle_streams, speak_utf8
from flows.cli.versions import version_lines

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
# Objects made before Python looks for garbage. What loading torch and its family makes stays, and looking
# through it at the usual 700 takes a fifth of the loading.
_OBJECTS_BEFORE_GARBAGE = 50_000
_HOMELESS = "home directory"  # of what `Path.expanduser` says

app = typer.Typer(
    help="Grow question-answering data, tune BLIP-2 on it, and say with statistics whether that helped.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo("\n".join(version_lines()))
        raise typer.Exit


@app.callback()
def program(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, its commit and its libraries, and exit.",
        ),
    ] = False,
) -> None:
    """What stands before a command; the help of the program is the one that `app` was given."""


for work in (run, dataset, finetune, compare, ablate, predict, serve, merge, push, export):
    app.command(rich_help_panel="Work")(work)
app.add_typer(review, name="review", rich_help_panel="Work")
app.add_typer(datasets, name="datasets", rich_help_panel="Look")
app.add_typer(store, name="store", rich_help_panel="Look")
app.add_typer(cache, name="cache", rich_help_panel="Look")
for look in (adapters, reports, trace, recipes, show, ui, probe):
    app.command(rich_help_panel="Look")(look)
for prepare in (plan, doctor, prefetch, gather, pretrain_pocket, backup, restore):
    app.command(rich_help_panel="Prepare")(prepare)


def main() -> None:
    """Entry of the console script."""
    gc.set_threshold(_OBJECTS_BEFORE_GARBAGE)
    atexit.register(gc.freeze)  # else Python looks through all that is left once more: a second and a half
    speak(app)


def speak(program: Callable[[], object]) -> None:
    """Run a program of this console: an error raised on purpose is one line, any other keeps its trace."""
    speak_utf8()
    settle_streams()
    try:
        program()
    except FoundryError as error:
        refuse(str(error), error.exit_code)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        refuse(f"{error}; make room or mend the permissions, and run again: what was finished is kept", 1)
    except RuntimeError as error:
        if _HOMELESS not in str(error):
            raise
        refuse("a path begins with ~, and this user has no home folder; write the path in full", 2)


def refuse(text: str, exit_code: int) -> NoReturn:
    sys.stderr.write(f"foundry: {without_password(text)}\n")  # click would write UTF-8 to an ASCII console
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
