"""The card of a dataset for the hub, with what the store knows of its making."""

from blip_core.dataset.hub_card import HubCard, hub_card
from blip_core.dataset.origin import Origin, origin_of
from blip_core.store.lineage import Lineage
from blip_core.wiring import workplace
from flows.rows.named_dataset import NamedDataset


def card_of(dataset: NamedDataset) -> HubCard:
    """Write the card of a dataset; of one from elsewhere nothing is known but what its folder says."""
    if dataset.artifact is None:
        return hub_card(dataset.folder, Origin(dataset.digest))
    lineage = Lineage(workplace().store.artifacts())
    return hub_card(dataset.folder, origin_of(dataset.artifact, lineage))
