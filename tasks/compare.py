"""Stage 7: the variants' answers become a ladder of scores."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import scoring
from blip_core.recipes import Recipe
from blip_core.records import Prediction
from blip_core.store import ArtifactRef
from blip_core.wiring import workplace
from tasks.predict_variant import read_predictions
from tasks.stage import path_of, stage, watcher

VERSION = 1
FILE = "scores.json"


def key(recipe: Recipe, predictions: Sequence[ArtifactRef]) -> str:
    inputs = {
        "version": VERSION,
        "seed": recipe.seed,
        "free_generation": recipe.inference.free_generation,
        "predictions": [ref.digest for ref in predictions],
    }
    return workplace().store.key("scores", inputs)


@stage("compare", key)
def compare(recipe: Recipe, predictions: Sequence[ArtifactRef]) -> ArtifactRef:
    """Score every variant and compare each with the one before it and with the first."""

    def build(folder: Path) -> dict[str, Any]:
        answers = [read_predictions(ref) for ref in predictions]
        pairs = pairs_to_compare(len(answers))
        comparisons = []
        for done, (a, b) in enumerate(pairs, start=1):
            comparisons.append(scoring.compare(answers[a], answers[b], recipe.seed))
            watcher().progress(done, len(pairs))
        scores = {
            "variants": {rows[0].variant: score(rows, recipe.inference.free_generation) for rows in answers},
            "comparisons": [asdict(comparison) for comparison in comparisons],
        }
        (folder / FILE).write_text(json.dumps(scores, indent=1), encoding="utf-8")
        answered = {rows[0].variant: ref.key for rows, ref in zip(answers, predictions, strict=True)}
        return {"rows": len(answers), "recipe": recipe.name, "made_from": answered}

    return workplace().store.publish(key(recipe, predictions), "scores", build).ref()


def pairs_to_compare(count: int) -> list[tuple[int, int]]:
    """Each variant with its forerunner, then each from the third on with the first."""
    neighbours = [(index, index + 1) for index in range(count - 1)]
    return neighbours + [(0, index) for index in range(2, count)]


def score(rows: Sequence[Prediction], is_free: bool) -> dict[str, Any]:
    """All scores of one variant, as JSON values; those of free generation are absent where it was off."""
    free = {"free_generation": scoring.free_generation(rows)._asdict()} if is_free else {}
    return {
        "accuracy": asdict(scoring.accuracy(rows)),
        **free,
        "by_kind": {name: asdict(value) for name, value in scoring.by_kind(rows).items()},
        "by_category": {name: asdict(value) for name, value in scoring.by_category(rows).items()},
        "per_letter": {letter: asdict(value) for letter, value in scoring.per_letter(rows).items()},
    }


def read_scores(ref: ArtifactRef) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((path_of(ref) / FILE).read_text(encoding="utf-8"))
    return scores
