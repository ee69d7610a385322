"""`foundry datasets diff`: what parts two datasets."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.commands.export import DatasetName
from flows.cli.commands.options import AsJson

_SHOWN_ROWS = 24


def diff(
    first: DatasetName,
    second: DatasetName,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write it as a page, with some of the rows.")
    ] = None,
    embedder: Annotated[
        str,
        typer.Option(
            "--embedder",
            metavar="CHECKPOINT",
            help="Hold their texts against each other by this model, such as pocket/clip or a folder.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what parts two datasets: rows added, removed, changed or moved, and how far shares have drifted.

    Where the second extends the first, its new rows are compared with the first's.

    Example: foundry datasets diff 1f0c3b7a 8ad94c02 --page diff.html
    """
    from rich.console import Console

    from blip_core.dataset.comparing import compare_datasets, rows_of, text_distance
    from blip_core.reporting.difference import difference_entry, difference_lines, write_difference
    from blip_core.wiring.embedding import open_embedder
    from flows.cli.catalogue import print_json
    from flows.rows.named_dataset import named_dataset

    one, two = named_dataset(first), named_dataset(second)
    found = compare_datasets(one.folder, two.folder)
    embedded = None
    if embedder:
        with open_embedder(embedder) as model:
            embedded = text_distance(one.folder, two.folder, found, model)
    if page is not None:
        shown = frozenset(found.added[:: max(1, len(found.added) // _SHOWN_ROWS)][:_SHOWN_ROWS])
        rows = [row for _, row in rows_of(two.folder) if row.id in shown]
        write_difference(page, (one.digest, two.digest), found, rows, embedded)
    if as_json:
        print_json({"first": one.digest, "second": two.digest, **difference_entry(found, embedded)})
        return
    for line in difference_lines(found, embedded):
        Console().print(line, highlight=False, markup=False, soft_wrap=True)
