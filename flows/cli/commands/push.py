"""`foundry push`: an adapter goes to the hub, once its owner agrees."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blip_core import strict_json
from blip_core.errors import UserMistake
from flows.cli.commands.merge import AdapterName
from flows.cli.commands.options import AsJson, only_json

if TYPE_CHECKING:
    from blip_core.uploading import Upload

Repository = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub.")]
Private = Annotated[
    bool, typer.Option("--private", help="Make the repository private; otherwise everybody can read it.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Upload without asking.")]


def push(
    adapter: AdapterName,
    repository: Repository,
    private: Private = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Upload an adapter to the hub: its weights, its config, and its card with the scores in the store.

    It asks before it uploads anything. The login is the one that `hf auth login` stored.

    Example: foundry push f4ab89c9 my-name/gallery-adapter --private
    """
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(_push(adapter, repository, private, yes)) + "\n")
        return
    typer.echo(_push(adapter, repository, private, yes)["commit"])


def _push(adapter: str, repository: str, private: bool, yes: bool) -> dict[str, Any]:
    from blip_core.wiring import go_online, workplace

    go_online(workplace())
    from blip_core.modeling.pushing import plan_upload
    from blip_core.uploading import push as upload_it
    from flows.results.adapter_cards import stored_card
    from flows.variants.named_adapter import named_adapter

    found = named_adapter(adapter)
    with TemporaryDirectory() as folder:
        upload = plan_upload(found.folder, repository, private, stored_card(found, Path(folder)))
        _ask(upload, yes)
        commit = upload_it(upload)
    return {"repository": repository, "private": private, "files": sorted(upload.files), "commit": commit}


def _ask(upload: "Upload", yes: bool) -> None:
    from rich.filesize import decimal

    who = "you and those you let in" if upload.is_private else "EVERYBODY"
    typer.echo(
        f"{len(upload.files)} files ({decimal(upload.size_bytes)}) go to {upload.repository}, which {who} "
        f"can read if it is newly created: {', '.join(sorted(upload.files))}",
        err=True,
    )
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserMistake(
            "nothing was uploaded: there is no terminal to ask on; --yes uploads without asking"
        )
    if not typer.confirm("Upload?", err=True):
        raise UserMistake("nothing was uploaded")
