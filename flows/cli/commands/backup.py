"""`foundry backup` and `foundry restore`: what cannot be made again, kept and put back."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

Folder = Annotated[Path, typer.Argument(help="Folder of the backups; each is a folder of its own below it.")]
Keep = Annotated[int, typer.Option(help="Newest backups that stay; 0 removes none.", min=0, max=10_000)]
Backup = Annotated[Path, typer.Argument(help="A backup, or the folder of several: the newest is taken.")]


def backup(folder: Folder, keep: Keep = 0, as_json: AsJson = False) -> None:
    """Keep both databases, files of MLflow's runs, journals, the lock of checkpoints and a list of the store.

    Runs may go on meanwhile. What the store holds is listed with its digests, and not copied: `foundry store
    copy` does that.

    Example: foundry backup /mnt/backups/foundry --keep 14
    """
    from blip_core.backups import forget_older, make_backup
    from blip_core.wiring import prepare_environment, workplace
    from flows.cli.catalogue import print_json

    place = workplace()
    prepare_environment(place)
    made = make_backup(place.kept(), folder)
    removed = forget_older(folder, keep) if keep else []
    if as_json:
        print_json({"backup": str(made.folder), "removed": [str(one) for one in removed], **made.to_json()})
        return
    typer.echo(f"{made.folder}: {made.words()}")
    for one in removed:
        typer.echo(f"removed {one}")


def restore(backup: Backup, as_json: AsJson = False) -> None:
    """Put a backup back into an empty place; records that are there are never overwritten.

    Name the new place with FOUNDRY_HOME, and empty databases if it keeps its records in PostgreSQL.

    Example: FOUNDRY_HOME=/srv/foundry foundry restore /mnt/backups/foundry
    """
    from blip_core.backups import restore_backup
    from blip_core.wiring import prepare_environment, workplace
    from flows.cli.catalogue import print_json

    place = workplace()
    prepare_environment(place)
    restored = restore_backup(place.kept(), backup)
    if as_json:
        print_json({"backup": str(restored.folder), **restored.to_json()})
        return
    typer.echo(f"{restored.folder} is restored: {restored.words()}")
    if restored.missing:
        typer.echo(
            f"{len(restored.missing)} of {restored.artifacts} artefacts are not in this store; bring them "
            "with `foundry store copy`, or let runs make them again"
        )
