"""The card of an adapter in the store, with what the store knows of it by now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.adapter_card import CARD, CardLineage, card_scores, read_facts, write_card
from blip_core.reporting.catalogue import SCORES
from blip_core.store import Artifact
from blip_core.store.lineage import Lineage
from blip_core.wiring import workplace
from flows.variants.named_adapter import NamedAdapter


def stored_card(
    adapter: NamedAdapter, folder: Path, told: Mapping[str, Any] | None = None, name: str = CARD
) -> Path | None:
    """Write the card of an adapter, with scores and lineage, into a folder.

    Args:
        adapter: of the store; one of a folder has its own card.
        folder: where the card goes: an adapter of the store never changes.
        told: scores as a comparison tells them; without, those of the newest one that judged the adapter.
        name: of the file.

    Returns:
        Its path; None where the adapter keeps the card it has, as it does outside the store.

    Raises:
        CheckpointError: What lies beside the adapter does not tell of it.
    """
    if adapter.artifact is None or read_facts(adapter.folder) is None:
        return None
    lineage = Lineage(workplace().store.artifacts())
    scores, differences = card_scores(told or _newest_scores(lineage, adapter.artifact))
    return write_card(adapter.folder, scores, differences, _origin(lineage, adapter.artifact), folder / name)


def _newest_scores(lineage: Lineage, adapter: Artifact) -> Mapping[str, Any]:
    """The last comparison in which the adapter was judged; no variants where there was none."""
    for predictions in lineage.children(adapter):
        for scores in lineage.children(predictions):
            if scores.kind == "scores":
                told: Mapping[str, Any] = strict_json.loads(
                    (scores.path / SCORES).read_text(encoding="utf-8")
                )
                return told
    return {"variants": {}, "comparisons": []}


def _origin(lineage: Lineage, adapter: Artifact) -> CardLineage:
    settings = adapter.metadata.get("settings", {})
    dataset = lineage.ancestor(adapter, "dataset")
    return CardLineage(
        dataset=dataset.digest if dataset else "",
        recipe=str(settings.get("name", "")),
        profile=str(settings.get("profile", "")),
        seed=settings.get("seed"),
        commit=str(adapter.metadata.get("commit", "")),
    )
