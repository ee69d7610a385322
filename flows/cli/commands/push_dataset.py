"""`foundry datasets push`: a dataset goes to the hub, once its owner says so."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from blip_core import strict_json
from flows.cli.commands.export import DatasetName
from flows.cli.commands.options import AsJson, only_json
from flows.cli.commands.push import Private, Repository

Really = Annotated[bool, typer.Option("--push", help="Upload; without it only what would be sent is told.")]
CardFile = Annotated[
    Path | None, typer.Option("--card", metavar="FILE", help="Write the card to this file, to be looked at.")
]


def push(
    dataset: DatasetName,
    repository: Repository,
    really: Really = False,
    private: Private = False,
    card: CardFile = None,
    as_json: AsJson = False,
) -> None:
    """Upload a dataset to the hub: Parquet, rejects, and a card with samples. Without --push nothing is sent.

    The login is the one that `hf auth login` stored.

    Example: foundry datasets push gallery-vqa my-name/gallery --card card.md
    """
    told = _push(dataset, repository, really, private, card)
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(told) + "\n")
    elif really:
        typer.echo(told["commit"])
    else:
        _tell(told)


def _push(dataset: str, repository: str, really: bool, private: bool, card: Path | None) -> dict[str, Any]:
    from blip_core.wiring import go_online, workplace

    if really:
        go_online(workplace())
    from blip_core.dataset.pushing import plan_upload
    from blip_core.uploading import push as upload_it
    from flows.results.dataset_cards import card_of
    from flows.rows.named_dataset import named_dataset

    found = named_dataset(dataset)
    with TemporaryDirectory() as scratch:
        written = card_of(found)
        upload = plan_upload(found.folder, written, Path(scratch), repository, private)
        if card is not None:
            card.expanduser().write_text(written.text, encoding="utf-8")
        told = {
            "repository": repository,
            "private": private,
            "digest": found.digest,
            "files": sorted(upload.files),
            "size_bytes": upload.size_bytes,
        }
        return told | {"commit": upload_it(upload) if really else None}


def _tell(told: dict[str, Any]) -> None:
    from rich.filesize import decimal

    who = "you and those you let in" if told["private"] else "EVERYBODY"
    typer.echo(
        f"Nothing was sent. With --push {len(told['files'])} files ({decimal(told['size_bytes'])}) go to "
        f"{told['repository']}, which {who} can read if it is newly created: {', '.join(told['files'])}"
    )
