"""Stage 6: a variant answers the evaluation rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.errors import EmptyDataset
from blip_core.ports import Progress
from blip_core.recipes import Inference, Recipe, Variant
from blip_core.records import PREDICTION_SCHEMA, Example, Prediction
from blip_core.store import Artifact, ArtifactRef, read_rows, write_rows
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
from tasks.rows import gather
from tasks.shards import in_shards, whole_batches
from tasks.stage import path_of, stage
from tasks.tune_adapter import ADAPTER

if TYPE_CHECKING:
    from blip_core.modeling import Blip2Bundle

VERSION = 2
FILE = "predictions.parquet"
ROWS_PER_SHARD = 512  # rows of like length share a batch: the more rows to choose from, the fewer pads


def key(recipe: Recipe, variant: Variant, dataset: ArtifactRef, adapter: ArtifactRef | None) -> str:
    inputs = who_answers(recipe, variant, adapter) | {
        "version": VERSION,
        "evaluation": evaluation_identity(recipe, dataset.digest),
    }
    return workplace().store.key("predictions", inputs)


def who_answers(recipe: Recipe, variant: Variant, adapter: ArtifactRef | None) -> dict[str, str]:
    """What decides a variant's answers, whatever the questions: part of a key."""
    return {
        "recipe": recipe.digest("inference", "task", "stages"),
        "variant": variant.name,
        "model": checkpoint_identity(variant.model),
        "dtype": variant.model.dtype,
        "adapter": adapter_identity(variant, adapter.digest if adapter else ""),
    }


def load_answering(recipe: Recipe, variant: Variant, adapter: ArtifactRef | None) -> "Blip2Bundle":
    """A variant, with the adapter that it carries."""
    tuned = path_of(adapter) / ADAPTER if adapter else None
    return load_variant(recipe, variant, adapter_folder(variant, tuned))


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
    own_key = key(recipe, variant, dataset, adapter)

    def build(folder: Path) -> dict[str, Any]:
        examples = evaluation_examples(recipe, path_of(dataset))
        if not examples:
            raise EmptyDataset("there are no rows to judge on; raise dataset.test_share or scenes.count")
        load = partial(load_answering, recipe, variant, adapter)
        shards = answer_in_shards(own_key, variant.name, examples, inference_settings(recipe), load)
        answered = gather(shards, FILE, folder, Prediction, PREDICTION_SCHEMA)
        parents = {"dataset": dataset.key} if recipe.evaluation.kind == "split" else {}
        return {
            "rows": answered,
            "variant": variant.name,
            "evaluation": recipe.evaluation.kind,
            "model": checkpoint_identity(variant.model),
            "made_from": parents | ({"adapter": adapter.key} if adapter else {}),
        }

    return workplace().store.publish(own_key, "predictions", build).ref()


def answer_in_shards(
    whole: str,
    variant: str,
    examples: Sequence[Example],
    settings: Inference,
    load: Callable[[], "Blip2Bundle"],
) -> list[Artifact]:
    """Answer rows shard by shard with a model that is loaded once, and only if a shard is missing.

    Args:
        whole: key of all answers together.
        variant: name that the predictions carry.
        examples: the rows, in the order in which they are answered.
        settings: prompts, batch size, lengths.
        load: gives the model.
    """
    bundle = cache(load)

    def build_shard(target: Path, shard: Sequence[Example], report: Progress) -> Mapping[str, Any]:
        from blip_core.inference import predict

        def on_pass(done: int, passes: int) -> None:
            report(done * len(shard) // passes, len(shard))

        predictions = predict(bundle(), shard, settings, variant, on_pass)
        return {"rows": write_rows(target / FILE, predictions, PREDICTION_SCHEMA)}

    rows_per_shard = whole_batches(settings.batch_size, ROWS_PER_SHARD)
    return in_shards("predictions", whole, examples, build_shard, rows_per_shard)


def read_predictions(ref: ArtifactRef) -> list[Prediction]:
    return read_rows(path_of(ref) / FILE, Prediction)
