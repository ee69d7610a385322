"""`foundry gather`: pictures with their texts from pages on the web, into a folder that recipes read."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blip_core import strict_json
from flows.cli.commands.options import AsJson, only_json

if TYPE_CHECKING:
    from blip_core.gathering import Gathered

PAGES, PICTURES, PAUSE_SECONDS, MIN_SIDE_PX = 500, 10_000, 1.0, 64

Pages = Annotated[
    list[str], typer.Argument(metavar="PAGE...", help="Addresses of the first pages, http:// or https://.")
]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="FOLDER", help="Folder to fill: new, empty, or gathered before."),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        metavar="HOST",
        help="A host that may be asked besides those of the pages, or *.HOST for all below it; repeat it.",
    ),
]
Depth = Annotated[int, typer.Option(min=0, help="How many links away from the first pages.")]
MaxPages = Annotated[int, typer.Option(min=1, help="Pages that are read at most.")]
MaxPictures = Annotated[int, typer.Option(min=1, help="Pictures that are kept at most.")]
Pause = Annotated[
    float, typer.Option(min=0.0, help="Seconds between two requests to one site, where it wants no longer.")
]
MinSide = Annotated[int, typer.Option(min=1, help="Pixels of the shorter side of a picture, at least.")]
WithoutTexts = Annotated[
    bool, typer.Option("--without-texts", help="Also pictures of which the page says nothing.")
]
Contact = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Where you can be reached; told to the sites that are asked.")
]


def gather(
    pages: Pages,
    out: Out,
    host: Hosts = None,
    depth: Depth = 0,
    max_pages: MaxPages = PAGES,
    max_pictures: MaxPictures = PICTURES,
    pause: Pause = PAUSE_SECONDS,
    min_side: MinSide = MIN_SIDE_PX,
    without_texts: WithoutTexts = False,
    contact: Contact = "",
    as_json: AsJson = False,
) -> None:
    """Gather pictures and the texts beside them from pages on the web.

    Only hosts that are named are asked, as their robots.txt allows. A second call asks for nothing that came.

    Example: foundry gather https://shop.example/shoes --depth 1 --out shoes
    """
    asked = _Asked(pages, out.expanduser().absolute(), host or [], contact)
    limits = {"pages": max_pages, "pictures": max_pictures, "pause_seconds": pause}
    wanted = {"depth": depth, "without_texts": without_texts, "min_side_px": min_side}
    if as_json:
        with only_json() as output:
            done = _gather(asked, limits, wanted, lambda read, kept: None)
            output.write(strict_json.dumps({**done._asdict(), "folder": str(asked.out)}) + "\n")
        return
    _show(_gather(asked, limits, wanted, _tell), asked.out)


@dataclass(frozen=True)
class _Asked:
    """Which pages, into which folder, by whom."""

    pages: Sequence[str]
    out: Path
    hosts: Sequence[str]
    contact: str


def _gather(
    asked: _Asked, limits: dict[str, Any], wanted: dict[str, Any], on_progress: Callable[[int, int], None]
) -> "Gathered":
    from blip_core.gathering import AllowedHosts, Limits, Wanted, Web, hosts_of
    from blip_core.gathering import gather as fill

    allowed = AllowedHosts([*hosts_of(asked.pages), *asked.hosts])
    with closing(Web(allowed, Limits(**limits), asked.contact)) as web:
        return fill(asked.pages, asked.out, web, Wanted(**wanted), on_progress)


def _tell(read: int, kept: int) -> None:
    typer.echo(f"\r  {read:,} pages read, {kept:,} pictures kept", nl=False, err=True)


def _show(done: "Gathered", folder: Path) -> None:
    typer.echo("", err=True)
    ended = f"; ended by the limit of {done.ended}" if done.ended else ""
    typer.echo(
        f"{folder}: {done.pictures:,} pictures of {done.pages:,} pages, {done.requests:,} requests{ended}"
    )
    for reason, count in done.refused.items():
        typer.echo(f"not taken: {count:,} {reason}")
    typer.echo(
        "Each with its address in refused.jsonl. Look at the licences of what was taken, then train on it:"
    )
    typer.echo(f"  source.kind=native source.layout=alt-texts source.path={folder}")
