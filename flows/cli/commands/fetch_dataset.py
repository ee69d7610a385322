"""`foundry datasets fetch`: rows of a data set on the hub become a table that recipes read."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from blip_core import strict_json
from flows.cli.commands.options import AsJson, only_json

Id = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The data set on the hub.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Folder to make, new or of an earlier call.")
]
Revision = Annotated[str, typer.Option("--revision", help="Commit, tag or branch; else the newest commit.")]
Split = Annotated[str, typer.Option("--split", help="Whose files are read, by the name in their paths.")]
Config = Annotated[
    str, typer.Option("--config", help="Folder of the configuration, where there are several.")
]
Rows = Annotated[int, typer.Option("--rows", min=0, help="How many rows at most; 0, all.")]
Megabytes = Annotated[int, typer.Option("--megabytes", min=1, help="How much may be downloaded.")]


def fetch(
    name: Id,
    out: Out,
    revision: Revision = "",
    split: Split = "train",
    config: Config = "",
    rows: Rows = 0,
    megabytes: Megabytes = 1_000,
    as_json: AsJson = False,
) -> None:
    """Bring rows of a data set on the hub, at one commit that is written down, into a table for recipes.

    Neither a script of the repository nor any other code of it is run. A second call asks for nothing.

    Example: foundry datasets fetch OWNER/NAME --rows 2000 --out set
    """
    from blip_core.wiring import go_online, workplace

    go_online(workplace())
    from rich.console import Console

    from blip_core.prefetching.hub import Hub
    from blip_core.prefetching.hub_sets import Asked, fetch_set
    from flows.cli.downloads import Downloads

    folder = out.expanduser()
    with Downloads(Console(stderr=True)) as shown:
        found = fetch_set(
            Hub(kind="dataset"), Asked(name, split, revision, config, rows, megabytes), folder, shown
        )
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps({**asdict(found), "table": str(folder / found.table)}) + "\n")
        return
    licence = found.licence or "not stated; ask whoever made it"
    table = folder / found.table
    typer.echo(f"{table}: {found.rows:,} rows of {name} at {found.commit[:12]}, licence: {licence}")
    typer.echo(f"columns: {', '.join(found.columns)}")
    typer.echo(f"foundry run RECIPE --set source.kind=table --set source.path={table}")
