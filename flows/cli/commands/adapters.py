"""`foundry adapters`: what adapters there are, and where each came from."""

from typing import Annotated

import typer

from flows.cli.commands.options import AsJson

Digest = Annotated[
    str, typer.Argument(metavar="DIGEST", help="One adapter, by its digest or the beginning of it.")
]


def adapters(digest: Digest = "", as_json: AsJson = False) -> None:
    """List the adapters of the store, newest first, or tell the lineage of one.

    Example: foundry adapters f4ab89c9
    """
    from blip_core.reporting.catalogue import adapter_entry
    from blip_core.reporting.lineage_tables import show_adapters
    from flows.cli.catalogue import Listing, show_listing, show_one

    listing = Listing(
        kind="adapter",
        name="adapters",
        describe=adapter_entry,
        show=show_adapters,
        none_yet="there is no adapter yet; foundry finetune RECIPE tunes one",
    )
    if digest:
        show_one(listing, digest, as_json)
    else:
        show_listing(listing, as_json)
