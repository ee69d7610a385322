"""The card of a dataset for the hub, with what the store knows of its making."""

from dataclasses import replace

from blip_core.dataset.hub_card import HubCard, hub_card
from blip_core.dataset.origin import Origin, origin_of
from blip_core.store.lineage import Lineage
from blip_core.store.versions import lines_of
from blip_core.wiring import workplace
from flows.rows.named_dataset import NamedDataset


def card_of(dataset: NamedDataset) -> HubCard:
    """Write the card of a dataset; of one from elsewhere nothing is known but what its folder says."""
    if dataset.artifact is None:
        return hub_card(dataset.folder, Origin(dataset.digest))
    store = workplace().store
    origin = origin_of(dataset.artifact, Lineage(store.artifacts()))
    grown = {one.digest: one.parent for line in lines_of(store).values() for one in line}
    return hub_card(dataset.folder, replace(origin, parent=origin.parent or grown.get(dataset.digest, "")))
