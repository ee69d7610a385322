"""Stage 7: the variants' answers become a ladder of scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import scoring, strict_json
from blip_core.dataset import read_split
from blip_core.errors import TableError
from blip_core.recipes import AnyVariant, Recipe, Variant
from blip_core.recipes.variants import CHAMPION, REGISTRY_SCHEME
from blip_core.records import Prediction
from blip_core.scoring.judging import measures_taken
from blip_core.scoring.measurement import MEASUREMENT_SCHEMA
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring import evaluation_answers, workplace
from tasks.predict_variant import read_ablations, read_predictions
from tasks.stage import metadata_of, path_of, stage, watcher

VERSION = 5
FILE = "scores.json"
MEASUREMENTS = "measurements.parquet"
ROWS_PER_GROUP = 10_000  # of measurements, which hold no pictures
_SHOWN_CHARS = 18  # of an identity: enough to tell two apart


NO_FURTHER_SETS: Mapping[str, Sequence[ArtifactRef]] = {}


def key(
    recipe: Recipe,
    predictions: Sequence[ArtifactRef],
    further: Mapping[str, Sequence[ArtifactRef]] = NO_FURTHER_SETS,
) -> str:
    inputs = {
        "version": VERSION,
        "seed": recipe.seed,
        "free_generation": recipe.inference.free_generation,
        "candidates": candidates(recipe),
        "findings": [finding.model_dump(mode="json") for finding in recipe.findings],
        "measures": {measure.name: measure.version for measure in measures_taken(recipe)},
        "set": recipe.evaluation.kind,
        "predictions": [ref.digest for ref in predictions],
        **_published(recipe),
        **_digests(further),
        **_answers(recipe),
    }
    return workplace().store.key("scores", inputs)


@stage("compare", key)
def compare(
    recipe: Recipe,
    predictions: Sequence[ArtifactRef],
    further: Mapping[str, Sequence[ArtifactRef]] = NO_FURTHER_SETS,
) -> ArtifactRef:
    """Score every variant; compare each with the one before it and the first, the tuned with their bases.

    Args:
        recipe: what is compared, and what is expected of it.
        predictions: of every variant, on the recipe's own rows.
        further: of those variants that findings name on the rows of phases, by phase.

    Raises:
        TableError: The variants were not judged on the same rows.
    """
    for answered in (predictions, *further.values()):
        check_same_evaluation(answered)

    def build(folder: Path) -> dict[str, Any]:
        answers, ablations = _answers_and_ablations(predictions)
        described = labelled_descriptions(predictions[0])
        judged = scoring.judge_run(
            recipe,
            answers,
            ablations,
            candidates(recipe),
            described,
            watcher().progress,
            further={name: _answers_and_ablations(refs) for name, refs in further.items()},
        )
        write_rows(folder / MEASUREMENTS, judged.measurements, MEASUREMENT_SCHEMA, ROWS_PER_GROUP)
        scores = {**judged.scores, "candidates": candidates(recipe), **_answers(recipe)}
        (folder / FILE).write_text(strict_json.dumps(scores, indent=1), encoding="utf-8")
        made_from = {name: ref.key for name, ref in zip(answers, predictions, strict=True)}
        for phase, refs in further.items():
            made_from |= {f"{metadata_of(ref)['variant']} {phase}": ref.key for ref in refs}
        return {"rows": len(answers), "recipe": recipe.name, "made_from": made_from}

    return workplace().store.publish(key(recipe, predictions, further), "scores", build).ref()


def _digests(further: Mapping[str, Sequence[ArtifactRef]]) -> dict[str, Any]:
    """Answers to the rows of phases, for a key; nothing where there are none."""
    told = {name: [ref.digest for ref in refs] for name, refs in further.items()}
    return {"further": told} if told else {}


def _published(recipe: Recipe) -> dict[str, Any]:
    """What was published of the variants, for a key; nothing where nothing was."""
    told = {
        variant.name: [variant.model.id, [one.model_dump(mode="json") for one in variant.published]]
        for variant in recipe.variants
        if isinstance(variant, Variant) and variant.published
    }
    return {"published": told} if told else {}


def _answers_and_ablations(
    predictions: Sequence[ArtifactRef],
) -> tuple[dict[str, list[Prediction]], dict[str, list[Prediction]]]:
    """What each variant said, everything shown and in the other modes."""
    answers = {rows[0].variant: rows for rows in map(read_predictions, predictions)}
    return answers, dict(zip(answers, map(read_ablations, predictions), strict=True))


def _answers(recipe: Recipe) -> dict[str, Any]:
    """How the right answers of a table are read; nothing where the rows are no table's."""
    read = evaluation_answers(recipe)
    return {"answers": read} if read else {}


def check_same_evaluation(predictions: Sequence[ArtifactRef]) -> None:
    """Refuse answers to different evaluation rows before any of them is read.

    Raises:
        TableError: At least two variants were judged on different rows, by the identity that their
            manifests hold.
    """
    told = [metadata_of(ref) for ref in predictions]
    judged_on = {one["variant"]: one.get("evaluation_identity", "") for one in told}
    first, *others = judged_on.items()
    for name, identity in others:
        if identity != first[1]:
            raise TableError(
                f"{name} answered other rows than {first[0]} (evaluation {_short(identity)} and "
                f"{_short(first[1])}): scores on different rows cannot be compared. Let both answer the same "
                "dataset or table."
            )


def labelled_descriptions(predictions: ArtifactRef) -> dict[str, str]:
    """The labeller's descriptions by row; none where the rows are no split of a dataset."""
    dataset = metadata_of(predictions).get("made_from", {}).get("dataset")
    found = workplace().store.find(dataset) if dataset else None
    if found is None:
        return {}
    return {row.id: row.description for row in read_split(found.path, "test") if row.description}


def candidates(recipe: Recipe) -> list[tuple[str, str]]:
    """Whom each variant that carries this run's last adapter has to beat to become champion, by name.

    That is the champion where it takes part, else each base without adapter.
    """
    reigning = [variant.name for variant in recipe.variants if _is_champion(recipe, variant)]
    plain = [variant.name for variant in recipe.variants if variant.role == "base" and not variant.adapter]
    tuned = [variant.name for variant in recipe.variants if recipe.phase_of(variant) == recipe.last_phase]
    return [(held, name) for held in reigning or plain for name in tuned]


def _is_champion(recipe: Recipe, variant: AnyVariant) -> bool:
    return variant.adapter in (CHAMPION, f"{REGISTRY_SCHEME}{recipe.name}-adapter@{CHAMPION}")


def _short(identity: str) -> str:
    return identity[:_SHOWN_CHARS] or "of an unknown kind"


def read_scores(ref: ArtifactRef) -> dict[str, Any]:
    scores: dict[str, Any] = strict_json.loads((path_of(ref) / FILE).read_text(encoding="utf-8"))
    return scores
