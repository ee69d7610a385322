"""Rows that passed the gates become a dataset: split and written the same, wherever they come from."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core.curation import Curated
from blip_core.dataset import assign_splits, write_dataset
from blip_core.recipes import Recipe
from blip_core.records import Rejection


def write_curated(
    folder: Path,
    recipe: Recipe,
    curated: Curated,
    refused: Iterable[Rejection],
    provenance: Mapping[str, str],
) -> dict[str, Any]:
    """Split rows and write them with all that was refused; gives what every dataset's metadata says.

    Args:
        folder: of the new dataset.
        recipe: whose rows they are.
        curated: what the gates kept and refused.
        refused: before the gates.
        provenance: for the card.
    """
    shares = recipe.dataset.validation_share, recipe.dataset.test_share
    splits = assign_splits(curated.kept, *shares, curated.near, recipe.dataset.fold)
    rejections = [*refused, *curated.rejections]
    counts = write_dataset(folder, curated.kept, rejections, splits, recipe, dict(provenance))
    return {
        **counts,
        "gates": [asdict(gate) for gate in curated.gates],
        "recipe": recipe.name,
        "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "source"}),
    }
