"""`foundry store`: what the store takes, and what it can do without."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from blip_core.errors import RecipeError
from flows.cli.commands.options import AsJson

Name = TypeVar("Name", bound=str)

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|k|M|G|T)B?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

group = typer.Typer(no_args_is_help=True, help="What the store takes, and what it can do without.")


@group.command()
def du(as_json: AsJson = False) -> None:
    """Tell what the store takes, by kind, the largest first.

    Example: foundry store du
    """
    from rich.console import Console

    from blip_core.reporting.storage import show_usage, usage_entry
    from blip_core.store.pruning import usage
    from blip_core.wiring import workplace
    from flows.cli.catalogue import print_json

    store = workplace().store
    used = usage(store)
    if as_json:
        print_json({"store": store.address, "kinds": [usage_entry(one) for one in used]})
    else:
        show_usage(Console(), store.address, used)


@group.command()
def prune(
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="RULE",
            help="leftovers: what nothing refers to; quarantine: damaged work; versions: those of a dataset "
            "that later ones contain. Repeat it for more; without it the first two.",
        ),
    ] = None,
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", help="Only what is at least so old.")
    ] = 7.0,
    keep: Annotated[
        int,
        typer.Option(metavar="N", help="Last versions of each dataset that stay, with the rule versions."),
    ] = 1,
    down_to: Annotated[
        str,
        typer.Option(
            "--down-to", metavar="SIZE", help="Oldest first, until the store takes this: 500MB, 20GB."
        ),
    ] = "",
    apply: Annotated[
        bool, typer.Option("--apply", help="Remove it; without this option nothing is touched.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what the store can do without, or remove it with --apply.

    What an adapter, a comparison, answers, a dataset or the last version of a growing one goes back to stays.
    While a run is under way nothing is removed.

    Example: foundry store prune --rule leftovers --older-than 30
    """
    from rich.console import Console

    from blip_core.reporting.storage import prunable_entry, show_prunable
    from blip_core.store import pruning
    from blip_core.wiring import workplace
    from flows.cli.catalogue import print_json

    store = workplace().store
    chosen = [_rule(rule, pruning.RULES) for rule in rules or pruning.Wanted().rules]
    if keep < 1 or older_than < 0:
        raise RecipeError("--keep takes a number from 1, and --older-than one from 0")
    wanted = pruning.Wanted(chosen, timedelta(days=older_than), keep, size_of(down_to) if down_to else None)
    found = (pruning.prune if apply else pruning.prunable)(store, wanted, now())
    if as_json:
        told = [prunable_entry(one) for one in found]
        print_json({"store": store.address, "removed": apply, "artifacts": told})
    else:
        show_prunable(Console(), found, apply)


@group.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Folder of a store, or s3://BUCKET/PREFIX.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="As FROM; what it holds stays as it is.")],
    as_json: AsJson = False,
) -> None:
    """Copy a store: every artefact is checked, what is there is passed over, and what broke off goes on.

    What the other store holds under the same key with another content is told and never overwritten.

    Example: foundry store copy ~/.blip-foundry/store s3://bucket/foundry
    """
    from dataclasses import asdict

    from blip_core.reporting.storage import copied_lines
    from blip_core.store.copying import copy_store
    from blip_core.wiring import store_at, workplace
    from flows.cli.catalogue import print_json
    from flows.cli.counting import counted

    place = workplace()
    with counted("artefacts") as progress:
        done = copy_store(store_at(source, place), store_at(target, place), progress)
    if as_json:
        print_json({"from": source, "to": target, **asdict(done)})
    else:
        typer.echo("\n".join(copied_lines(done)))
    if not done.is_whole:
        raise typer.Exit(1)


def now() -> datetime:
    """The time that ages are counted to."""
    return datetime.now(UTC)


def size_of(text: str) -> int:
    """Bytes that a person means by `500MB`.

    Raises:
        RecipeError: It is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise RecipeError(f"--down-to {text}: write a number with a unit, as in 500MB or 20GB")
    return int(float(found.group(1)) * _FACTORS[found.group(2).lower()])


def _rule(rule: str, known: tuple[Name, ...]) -> Name:
    for one in known:
        if rule == one:
            return one
    raise RecipeError(f"--rule {rule}: allowed are {', '.join(known)}")
