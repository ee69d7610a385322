"""Lists what the store holds of a kind, and tells the lineage of one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from blip_core import strict_json
from blip_core.reporting.catalogue import family_tree
from blip_core.reporting.lineage_tables import show_entry
from blip_core.store import Artifact
from blip_core.store.lineage import Lineage
from blip_core.wiring import workplace
from flows.cli.commands.options import only_json
from tasks.chosen import chosen


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed.

    Attributes:
        kind: of the artefacts.
        name: what the list is called in JSON.
        describe: makes the entry of one artefact.
        show: prints the entries.
        none_yet: what is said where there is none.
    """

    kind: str
    name: str
    describe: Callable[[Lineage, Artifact], dict[str, Any]]
    show: Callable[[Console, Sequence[Mapping[str, Any]]], None]
    none_yet: str


def show_listing(listing: Listing, as_json: bool) -> None:
    """List all artefacts of a kind, newest first."""
    store = workplace().store
    lineage = Lineage(store.artifacts())
    entries = [listing.describe(lineage, artifact) for artifact in lineage.of_kind(listing.kind)]
    if as_json:
        print_json({"store": store.address, listing.name: entries})
    elif entries:
        listing.show(Console(), entries)
    else:
        Console().print(
            f"In {store.address} {listing.none_yet}.", highlight=False, soft_wrap=True, markup=False
        )


def show_one(listing: Listing, digest: str, as_json: bool) -> None:
    """Tell the lineage of the artefact whose digest begins so, down to the scenes and up to the scores."""
    named = chosen(listing.kind, digest).digest
    lineage = Lineage(workplace().store.artifacts())
    artifact = next(one for one in lineage.of_kind(listing.kind) if one.digest == named)
    entry = listing.describe(lineage, artifact)
    above = family_tree(artifact, lineage.parents, lineage)
    below = family_tree(artifact, lineage.children, lineage)
    if as_json:
        print_json({**entry, "lineage": {"made_from": above, "became": below}})
    else:
        show_entry(Console(), entry, above, below)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object, and nothing else, on standard output."""
    with only_json() as output:
        output.write(strict_json.dumps(value, ensure_ascii=False) + "\n")
