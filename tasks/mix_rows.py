"""Stage 4b: rows of several datasets become the one that a phase learns from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blip_core.curation.near_duplicates import LooksAlike
from blip_core.dataset import mix, read_split, write_dataset
from blip_core.recipes import Recipe
from blip_core.records import SPLITS
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from tasks.stage import path_of, stage, watcher

VERSION = 2


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
        counts = write_dataset(folder, mixed.examples, mixed.rejections, mixed.splits, recipe, provenance)
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


def _words(told: Mapping[str, Any]) -> str:
    drawn = ", ".join(f"{rows} of {told['of'][split]} {split}" for split, rows in told["drawn"].items())
    return f"weight {told['weight']:g}: {drawn}"
