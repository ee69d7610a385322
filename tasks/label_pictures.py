"""Stage 3: a vision-language model says something of every picture, in shards."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import labelling
from blip_core.ports import Progress
from blip_core.recipes import Labels, Recipe, ServedModel
from blip_core.records import LABEL_SCHEMA, REJECTION_SCHEMA, Label, Picture, Rejection
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import build_labeller, forget_answers, labeller_identity, workplace
from tasks import paint_pictures
from tasks.costs import all_costs, as_metadata, costs_of
from tasks.rows import REJECTIONS, gather
from tasks.shards import in_shards, on_first_use
from tasks.stage import path_of, stage

VERSION = 2
WAVES = 4  # of requests in a batch: few of them wait for the slowest of the others
FILE = "labels.parquet"


def key(recipe: Recipe, pictures: ArtifactRef) -> str:
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("labels", "seed"),
        "pictures": pictures.digest,
        "model": labeller_identity(recipe),
        **recipe.device.arithmetic(),
        **recipe.kind.label_identity,
    }
    return workplace().store.key("labels", inputs)


@stage("labels", key)
def label_pictures(recipe: Recipe, pictures: ArtifactRef) -> ArtifactRef:
    """Describe every picture, and ask about it what the task needs."""
    own_key = key(recipe, pictures)

    def build(folder: Path) -> dict[str, Any]:
        rows = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
        with on_first_use(lambda: build_labeller(recipe)) as labeller:

            def build_shard(target: Path, shard: Sequence[Picture], report: Progress) -> Mapping[str, Any]:
                model = labeller()
                before = costs_of(model)
                labels, rejections = labelling.label_pictures(
                    model, shard, _settings(recipe), recipe.seed, report, recipe.kind
                )
                write_rows(target / FILE, labels, LABEL_SCHEMA)
                write_rows(target / REJECTIONS, rejections, REJECTION_SCHEMA)
                return {"rows": len(labels), **as_metadata(costs_of(model) - before)}

            shards = in_shards("labels", own_key, rows, build_shard)
        kept = gather(shards, FILE, folder, Label, LABEL_SCHEMA)
        refused = gather(shards, REJECTIONS, folder, Rejection, REJECTION_SCHEMA)
        forget_answers(recipe, "labels")
        return {
            "rows": kept,
            "asked": len(rows) * recipe.labels.per_picture,
            "refused": refused,
            "model": labeller_identity(recipe),
            **all_costs(shards),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "labels"}),
            "made_from": {"pictures": pictures.key},
        }

    return workplace().store.publish(own_key, "labels", build).ref()


def _settings(recipe: Recipe) -> Labels:
    """How pictures are labelled; a server, whose answers depend on no batch, is asked for more at once."""
    labels = recipe.labels
    if not isinstance(labels.model, ServedModel):
        return labels
    rows = max(labels.batch_size, WAVES * labels.model.requests_at_once)
    return labels.model_copy(update={"batch_size": rows})
