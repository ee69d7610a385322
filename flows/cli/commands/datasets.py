"""`foundry datasets`: what datasets there are, and where each came from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.commands.options import AsJson

if TYPE_CHECKING:
    from blip_core.store import Artifact
    from blip_core.store.lineage import Lineage

Digest = Annotated[
    str, typer.Argument(metavar="DIGEST", help="One dataset, by its digest or the beginning of it.")
]


def datasets(digest: Digest = "", as_json: AsJson = False) -> None:
    """List the datasets of the store, newest first, or tell the lineage of one.

    Example: foundry datasets e1752ef7
    """
    from blip_core.reporting.catalogue import dataset_entry
    from blip_core.reporting.lineage_tables import show_datasets
    from blip_core.store.versions import lines_of
    from blip_core.wiring import workplace
    from flows.cli.catalogue import Listing, show_listing, show_one

    versions = {one.digest: one for line in lines_of(workplace().store).values() for one in line}

    def describe(lineage: "Lineage", dataset: "Artifact") -> dict[str, Any]:
        version = versions.get(dataset.digest)
        grown = {"scenes": version.scenes, "extends": version.parent or None} if version else None
        return {**dataset_entry(lineage, dataset), "version": grown}

    listing = Listing(
        kind="dataset",
        name="datasets",
        describe=describe,
        show=show_datasets,
        none_yet="there is no dataset yet; foundry dataset RECIPE grows one",
    )
    if digest:
        show_one(listing, digest, as_json)
    else:
        show_listing(listing, as_json)
