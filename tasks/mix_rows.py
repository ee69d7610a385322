"""Stage 4b: rows of several datasets become the one that a phase learns from."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from blip_core.curation import GateCount
from blip_core.curation.figures import in_words
from blip_core.curation.near_duplicates import LooksAlike
from blip_core.dataset import mix, read_split, write_dataset
from blip_core.recipes import Recipe
from blip_core.records import SPLITS
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from tasks.curated import used_checkpoints
from tasks.stage import metadata_of, path_of, stage, watcher

VERSION = 3


def key(recipe: Recipe, sets: Mapping[str, ArtifactRef], weights: Mapping[str, float]) -> str:
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("dataset", "task", "name", "seed"),
        "sets": {name: ref.digest for name, ref in sets.items()},
        "weights": dict(weights),
        "near_duplicates": recipe.curation.near_duplicates.model_dump(mode="json"),
    }
    return workplace().store.key("dataset", inputs)


@stage("mix", key)
def mix_rows(recipe: Recipe, sets: dict[str, ArtifactRef], weights: dict[str, float]) -> ArtifactRef:
    """Draw rows of several datasets in the shares that a phase asks for; none changes its split.

    Args:
        recipe: of the phase that learns them.
        sets: datasets by the names that the phase gives them.
        weights: of each set.
    """

    def build(folder: Path) -> dict[str, Any]:
        rows = {
            name: {split: read_split(path_of(ref), split) for split in SPLITS} for name, ref in sets.items()
        }
        watcher().progress(1, 2)
        mixed = mix(rows, weights, recipe.seed, _looks(recipe))
        told = {
            name: {"weight": weights[name], "drawn": drawn, "of": {s: len(rows[name][s]) for s in SPLITS}}
            for name, drawn in mixed.drawn.items()
        }
        provenance = {
            **{f"set {name}": ref.digest for name, ref in sets.items()},
            **{f"mixture of {name}": _words(one) for name, one in told.items()},
        }
        counts = write_dataset(
            folder,
            mixed.examples,
            mixed.rejections,
            mixed.splits,
            recipe,
            provenance,
            [gate for name, ref in sets.items() for gate in _gates(name, ref)],
            used_checkpoints(ref.key for ref in sets.values()),
            [line for name, ref in sets.items() for line in _measured(name, ref)],
        )
        watcher().progress(2, 2)
        return {
            **counts,
            "mixture": told,
            "recipe": recipe.name,
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed"}),
            "made_from": {name: ref.key for name, ref in sets.items()},
        }

    return workplace().store.publish(key(recipe, sets, weights), "dataset", build).ref()


def _looks(recipe: Recipe) -> LooksAlike | None:
    """Which pictures of different sets are alike: as the recipe's gate says, where it is on."""
    gate = recipe.curation.near_duplicates
    return LooksAlike(gate) if gate.enabled else None


def _gates(name: str, dataset: ArtifactRef) -> Iterator[GateCount]:
    """What the gates of a set did, before anything of it was drawn."""
    for one in metadata_of(dataset).get("gates", ()):
        count = GateCount.from_dict(one)
        yield replace(count, gate=f"{name}: {count.gate}")


def _measured(name: str, dataset: ArtifactRef) -> Iterator[tuple[str, str]]:
    told = metadata_of(dataset)
    estimated = told.get("wrong_answers", {}).get("estimated", {})
    return ((f"{name}: {what}", value) for what, value in in_words(told.get("measured", {}), estimated))


def _words(told: Mapping[str, Any]) -> str:
    drawn = ", ".join(f"{rows} of {told['of'][split]} {split}" for split, rows in told["drawn"].items())
    return f"weight {told['weight']:g}: {drawn}"
