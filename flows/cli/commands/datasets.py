"""`foundry datasets`: what datasets there are, and where each came from."""

from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

Digest = Annotated[
    str, typer.Argument(metavar="DIGEST", help="One dataset, by its digest or the beginning of it.")
]


def datasets(digest: Digest = "", as_json: AsJson = False) -> None:
    """List the datasets of the store, newest first, or tell the lineage of one.

    Example: foundry datasets e1752ef7
    """
    from blip_core.reporting.catalogue import dataset_entry
    from blip_core.reporting.lineage_tables import show_datasets
    from flows.cli.catalogue import Listing, show_listing, show_one

    listing = Listing(
        kind="dataset",
        name="datasets",
        describe=dataset_entry,
        show=show_datasets,
        none_yet="there is no dataset yet; foundry dataset RECIPE grows one",
    )
    if digest:
        show_one(listing, digest, as_json)
    else:
        show_listing(listing, as_json)
