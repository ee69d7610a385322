"""Stage 3: a vision-language model says something of every picture, in shards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blip_core import labelling
from blip_core.ports import Progress
from blip_core.recipes import Labels, Recipe, ServedModel
from blip_core.records import LABEL_SCHEMA, PICTURE_SCHEMA, REJECTION_SCHEMA, Label, Picture, Rejection
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import build_labeller, forget_answers, labeller_identity, workplace
from tasks import paint_pictures, shards
from tasks.allowance import allowance
from tasks.costs import all_costs, as_metadata, costs_of
from tasks.crews import crew_for
from tasks.rows import REJECTIONS, gather
from tasks.shards import ShardWork, by_rows, on_first_use, publish_shards
from tasks.stage import path_of, stage

VERSION = 3
WAVES = 4  # of requests in a batch: few of them wait for the slowest of the others
FILE = "labels.parquet"


def key(recipe: Recipe, pictures: ArtifactRef) -> str:
    return workplace().store.key("labels", {**made_by(recipe), "pictures": pictures.digest})


def made_by(recipe: Recipe) -> dict[str, Any]:
    """What decides what is said of any picture."""
    return {
        "version": VERSION,
        "recipe": recipe.digest("labels", "seed"),
        "model": labeller_identity(recipe),
        **recipe.device.arithmetic(),
        **recipe.kind.label_identity,
    }


@contextmanager
def labelling_shards(recipe: Recipe) -> Iterator[ShardWork[Picture]]:
    """What labels shards of pictures, with one labeller for all of them."""
    per_picture = recipe.labels.per_picture
    with on_first_use(lambda: build_labeller(recipe)) as labeller:

        def build(folder: Path, shard: Sequence[Picture], report: Progress) -> Mapping[str, Any]:
            model = labeller()
            before = costs_of(model)
            labels, rejections = labelling.label_pictures(
                model, shard, _settings(recipe), recipe.seed, report, recipe.kind
            )
            write_rows(folder / FILE, labels, LABEL_SCHEMA)
            write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
            spent = costs_of(model) - before
            allowance().spend(spent.requests - len(shard) * per_picture)
            return {"rows": len(labels), **as_metadata(spent)}

        keyed = by_rows(made_by(recipe))
        yield ShardWork("labels", Picture, keyed, build, per_picture, PICTURE_SCHEMA)


@stage("labels", key)
def label_pictures(recipe: Recipe, pictures: ArtifactRef) -> ArtifactRef:
    """Describe every picture, and ask about it what the task needs."""
    own_key = key(recipe, pictures)

    def build(folder: Path) -> dict[str, Any]:
        per_picture = recipe.labels.per_picture
        rows = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
        with (
            labelling_shards(recipe) as work,
            crew_for(recipe, labelling_shards, _loads_model(recipe)) as crew,
        ):
            made = publish_shards(work, _parts(recipe, rows), len(rows), crew)
        kept = gather(made, FILE, folder, Label, LABEL_SCHEMA)
        refused = gather(made, REJECTIONS, folder, Rejection, REJECTION_SCHEMA)
        forget_answers(recipe, "labels")
        return {
            "rows": kept,
            "asked": len(rows) * per_picture,
            "refused": refused,
            "model": labeller_identity(recipe),
            **all_costs(made),
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "labels"}),
            "made_from": {"pictures": pictures.key},
            "shards": [shard.key for shard in made],
        }

    return workplace().store.publish(own_key, "labels", build).ref()


def _parts(recipe: Recipe, pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Pictures in shards; of those made here a shard holds what is left of so many scenes."""
    if recipe.source.is_made_here:
        return shards.on_scene_grid(pictures, lambda picture: picture.scene_id)
    return list(shards.in_runs(pictures, shards.ROWS_PER_SHARD))


def _loads_model(recipe: Recipe) -> bool:
    return recipe.labels.plugin is not None or not isinstance(recipe.labels.model, ServedModel)


def _settings(recipe: Recipe) -> Labels:
    """How pictures are labelled; a server, whose answers depend on no batch, is asked for more at once."""
    labels = recipe.labels
    if not isinstance(labels.model, ServedModel):
        return labels
    rows = max(labels.batch_size, WAVES * labels.model.requests_at_once)
    return labels.model_copy(update={"batch_size": rows})
