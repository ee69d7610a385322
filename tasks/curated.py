"""Rows that passed the gates become a dataset: split and written the same, wherever they come from."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core.curation import Curated, check_alarm, estimate_wrong
from blip_core.curation.confidence import confidence_figures, mean_confidence
from blip_core.curation.figures import in_words
from blip_core.dataset import assign_splits, write_dataset
from blip_core.dataset.drawing import cut_training
from blip_core.dataset.origin import UsedCheckpoint, checkpoints_of
from blip_core.recipes import Recipe
from blip_core.records import Rejection
from blip_core.reviewing.bringing_back import SPLITTING
from blip_core.store.lineage import Lineage
from blip_core.wiring import workplace

NOTHING: Mapping[str, str] = {}


def cut_by(recipe: Recipe) -> dict[str, int]:
    """What decides beside a recipe's sections which training rows are left; empty where all are."""
    return {"cut_seed": recipe.seed} if recipe.dataset.train_rows else {}


def write_curated(
    folder: Path,
    recipe: Recipe,
    curated: Curated,
    refused: Iterable[Rejection],
    provenance: Mapping[str, str],
    made_from: Mapping[str, str] = NOTHING,
) -> dict[str, Any]:
    """Split rows and write them with all that was refused; gives what every dataset's metadata says.

    Args:
        folder: of the new dataset.
        recipe: whose rows they are.
        curated: what the gates kept and refused.
        refused: before the gates.
        provenance: for the card.
        made_from: keys of the artefacts that the rows come from, by name.
    """
    wrong = estimate_wrong(curated.kept, curated.measured, recipe.curation.alarm)
    check_alarm(wrong, recipe.curation.alarm, recipe.label)
    shares = recipe.dataset.validation_share, recipe.dataset.test_share
    splits = assign_splits(curated.kept, *shares, curated.near, recipe.dataset.fold)
    kept, surplus = curated.kept, list[Rejection]()
    if recipe.dataset.train_rows:
        kept, surplus = cut_training(kept, splits, recipe.dataset.train_rows, recipe.seed)
    rejections = [*refused, *curated.rejections, *surplus]
    confidence = {**mean_confidence(kept), **confidence_figures(kept, recipe.curation.confidence)}
    measured = {**({"labeller": confidence} if confidence else {}), **curated.measured}
    counts = write_dataset(
        folder,
        kept,
        rejections,
        splits,
        recipe,
        dict(provenance),
        curated.gates,
        used_checkpoints(made_from.values()),
        in_words(measured, wrong),
    )
    return {
        **counts,
        "made_from": dict(made_from),
        "gates": [asdict(gate) for gate in curated.gates],
        **({"measured": measured} if measured else {}),
        "wrong_answers": {"estimated": wrong, "allowed": recipe.curation.alarm.max_wrong_share},
        SPLITTING: {
            "dataset": recipe.dataset.model_dump(mode="json"),
            "near_duplicates": recipe.curation.near_duplicates.model_dump(mode="json"),
        },
        "recipe": recipe.name,
        "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "source"}),
    }


def used_checkpoints(keys: Iterable[str]) -> tuple[UsedCheckpoint, ...]:
    """The models that had a part in making what lies under some keys, those that came first at the head."""
    if not (named := list(keys)):
        return ()
    store = workplace().store
    lineage = Lineage(store.artifacts())
    made = [artifact for key in named if (artifact := store.peek(key)) is not None]
    above = [one for artifact in made for one in (*reversed(lineage.ancestors(artifact)), artifact)]
    return checkpoints_of({one.key: one for one in above}.values())
