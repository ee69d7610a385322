"""Stage 6: a variant answers the evaluation rows."""

from pathlib import Path
from typing import Any

from blip_core.errors import EmptyDataset
from blip_core.recipes import Recipe, Variant
from blip_core.records import PREDICTION_SCHEMA, Prediction
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import (
    adapter_folder,
    adapter_identity,
    checkpoint_identity,
    evaluation_examples,
    evaluation_identity,
    inference_settings,
    load_variant,
    workplace,
)
from tasks.stage import path_of, stage, watcher
from tasks.tune_adapter import ADAPTER

VERSION = 1
FILE = "predictions.parquet"


def key(recipe: Recipe, variant: Variant, dataset: ArtifactRef, adapter: ArtifactRef | None) -> str:
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("inference", "task", "stages"),
        "variant": variant.name,
        "model": checkpoint_identity(variant.model),
        "dtype": variant.model.dtype,
        "adapter": adapter_identity(variant, adapter.digest if adapter else ""),
        "evaluation": evaluation_identity(recipe, dataset.digest),
    }
    return workplace().store.key("predictions", inputs)


@stage("predict {variant.name}", key)
def predict_variant(
    recipe: Recipe, variant: Variant, dataset: ArtifactRef, adapter: ArtifactRef | None
) -> ArtifactRef:
    """Let a variant answer every evaluation row.

    Args:
        recipe: how it answers.
        variant: who answers.
        dataset: where its rows come from, if the recipe judges by its test split.
        adapter: the adapter of this run, for the variants that carry it.
    """

    def build(folder: Path) -> dict[str, Any]:
        from blip_core.inference import predict

        examples = evaluation_examples(recipe, path_of(dataset))
        if not examples:
            raise EmptyDataset("there are no rows to judge on; raise dataset.test_share or scenes.count")
        tuned = path_of(adapter) / ADAPTER if adapter else None
        bundle = load_variant(recipe, variant, adapter_folder(variant, tuned))
        settings = inference_settings(recipe)
        predictions = predict(bundle, examples, settings, variant.name, watcher().progress)
        write_rows(folder / FILE, predictions, PREDICTION_SCHEMA)
        return {"rows": len(predictions), "variant": variant.name}

    own_key = key(recipe, variant, dataset, adapter)
    return workplace().store.publish(own_key, "predictions", build).ref()


def read_predictions(ref: ArtifactRef) -> list[Prediction]:
    return read_rows(path_of(ref) / FILE, Prediction)
