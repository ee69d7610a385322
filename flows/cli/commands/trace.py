"""`foundry trace`: from one row back to the prompt that started it."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

RowId = Annotated[
    str,
    typer.Argument(metavar="ROW_ID", help="Id of a prediction, an example, a label, a picture or a scene."),
]
Within = Annotated[
    str,
    typer.Option(
        "--dataset", metavar="DIGEST", help="The dataset to look in; by default the newest that has the row."
    ),
]
PictureFile = Annotated[
    Path | None,
    typer.Option("--picture", metavar="FILE", help="Write the row's picture to this file, as PNG."),
]


def trace(row_id: RowId, dataset: Within = "", picture: PictureFile = None, as_json: AsJson = False) -> None:
    """Walk one row back to the prompt that started it: answers, question, label, picture, scene, recipe.

    Example: foundry trace nature-00012-p0-q0 --picture frog.png
    """
    from rich.console import Console

    from blip_core.reporting.trace_lines import show_trace
    from flows.cli.catalogue import print_json
    from flows.cli.tracing import find_trace, write_picture

    found = find_trace(row_id, dataset)
    if picture is not None:
        write_picture(found, picture)
    if as_json:
        print_json(found.to_dict())
    else:
        show_trace(Console(), found)
