"""What models that are not loaded here have cost, counted shard by shard."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from blip_core.ports import Costs, Metered
from blip_core.store import Artifact


def costs_of(model: object) -> Costs:
    """What a model has cost so far; nothing where it is loaded here."""
    return model.costs if isinstance(model, Metered) else Costs()


def as_metadata(costs: Costs) -> dict[str, Any]:
    """Costs as an artefact tells them; nothing where there are none."""
    return {"costs": asdict(costs)} if costs != Costs() else {}


def all_costs(artifacts: Iterable[Artifact]) -> dict[str, Any]:
    """Costs of shards together, as an artefact tells them."""
    told = (Costs(**artifact.metadata["costs"]) for artifact in artifacts if "costs" in artifact.metadata)
    return as_metadata(sum(told, Costs()))
