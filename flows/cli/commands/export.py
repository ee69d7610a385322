"""`foundry export`: a dataset in the form that another tool reads."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from blip_core import strict_json
from blip_core.errors import UserMistake
from blip_core.records import SPLITS, Split
from flows.cli.commands.options import AsJson, only_json

FORMATS = ("coco-captions", "llava", "sharegpt", "trl", "vlmevalkit-tsv", "webdataset")
"""As `blip_core.exporting` has them, whose import would slow every command down; a test compares."""


def complete_format(incomplete: str) -> list[str]:
    """Formats that begin so."""
    return [name for name in FORMATS if name.startswith(incomplete)]


DatasetName = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="Folder of a dataset, its digest or the beginning of it, its key in the store, or the recipe "
        "whose newest dataset it is.",
    ),
]
To = Annotated[
    str,
    typer.Option(
        "--to", metavar="FORMAT", autocompletion=complete_format, help=f"Format: {', '.join(FORMATS)}."
    ),
]
Splits = Annotated[
    list[str] | None,
    typer.Option(
        "--split", metavar="SPLIT", help=f"Only this split ({', '.join(SPLITS)}); repeat it for more."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder to make, new or empty; else DATASET-FORMAT in the present one.",
    ),
]
Skip = Annotated[bool, typer.Option("--skip", help="Leave out, and count, rows that the format cannot hold.")]


def export(
    dataset: DatasetName,
    to: To,
    split: Splits = None,
    out: Out = None,
    skip: Skip = False,
    as_json: AsJson = False,
) -> None:
    """Write a dataset for another tool: LLaVA, LLaMA-Factory, TRL, VLMEvalKit, webdataset, COCO captions.

    The folder appears whole or not at all.

    Example: foundry export gallery-vqa --to llava --split train --out for-llava
    """
    told = _export(dataset, to, split or [], out, skip)
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(told) + "\n")
        return
    rows = ", ".join(f"{name} {count:,}" for name, count in told["rows"].items())
    typer.echo(f"{told['folder']}: {to} of {told['digest'][:12]}, rows: {rows}")
    for fault, count in told["skipped"].items():
        typer.echo(f"left out: {count:,} rows that {fault}")


def _export(dataset: str, to: str, splits: list[str], out: Path | None, skip: bool) -> dict[str, Any]:
    from blip_core.exporting import export as write
    from blip_core.exporting import format_of
    from flows.rows.named_dataset import named_dataset

    form = format_of(to)
    chosen = [_split(name) for name in splits]
    found = named_dataset(dataset)
    target = (out or Path(f"{Path(dataset).name}-{to}")).expanduser().absolute()
    done = write(found.folder, form, target, chosen, skip)
    return asdict(done) | {"folder": str(done.folder), "format": to, "digest": found.digest}


def _split(name: str) -> Split:
    if name not in SPLITS:
        raise UserMistake(f"there is no split {name!r}; allowed: {', '.join(get_args(Split))}")
    return name
