"""Stage 2: every scene becomes a picture, in shards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blip_core import painting
from blip_core.ports import Progress
from blip_core.recipes import Recipe
from blip_core.records import PICTURE_SCHEMA, REJECTION_SCHEMA, Picture, Rejection, Scene
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import build_painter, painter_identity, picture_settings, workplace
from tasks import shards, write_scenes
from tasks.crews import crew_for
from tasks.rows import REJECTIONS, gather
from tasks.shards import ShardWork, by_rows, on_first_use, publish_shards
from tasks.stage import path_of, stage

VERSION = 1
FILE = "pictures.parquet"


def key(recipe: Recipe, scenes: ArtifactRef) -> str:
    return workplace().store.key("pictures", {**made_by(recipe), "scenes": scenes.digest})


def made_by(recipe: Recipe) -> dict[str, Any]:
    """What decides how any scene is painted."""
    return {
        "version": VERSION,
        "recipe": recipe.digest("source", "pictures", "seed"),
        "model": painter_identity(recipe),
        **recipe.device.arithmetic(),
    }


@contextmanager
def painting_shards(recipe: Recipe) -> Iterator[ShardWork[Scene]]:
    """What paints shards of scenes, with one painter for all of them."""
    with on_first_use(lambda: build_painter(recipe)) as painter:

        def build(folder: Path, shard: Sequence[Scene], report: Progress) -> Mapping[str, Any]:
            settings = picture_settings(recipe)
            pictures, rejections = painting.paint_pictures(painter(), shard, settings, recipe.seed, report)
            write_rows(folder / FILE, pictures, PICTURE_SCHEMA)
            write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
            return {"rows": len(pictures)}

        yield ShardWork("pictures", Scene, by_rows(made_by(recipe)), build)


@stage("pictures", key)
def paint_pictures(recipe: Recipe, scenes: ArtifactRef) -> ArtifactRef:
    """Paint a picture of every scene."""
    own_key = key(recipe, scenes)

    def build(folder: Path) -> dict[str, Any]:
        rows = read_rows(path_of(scenes) / write_scenes.FILE, Scene)
        parts = list(shards.in_runs(rows, rows_a_shard(recipe)))
        loads = recipe.source.kind != "world"  # which is drawn faster than workers begin
        with painting_shards(recipe) as work, crew_for(recipe, painting_shards, loads) as crew:
            made = publish_shards(work, parts, len(rows), crew)
        kept = gather(made, FILE, folder, Picture, PICTURE_SCHEMA)
        refused = gather(made, REJECTIONS, folder, Rejection, REJECTION_SCHEMA)
        return {
            "rows": kept,
            "asked": len(rows),
            "refused": refused,
            "model": painter_identity(recipe),
            "settings": recipe.model_dump(
                mode="json", include={"name", "profile", "seed", "source", "pictures"}
            ),
            "made_from": {"scenes": scenes.key},
            "shards": [shard.key for shard in made],
        }

    return workplace().store.publish(own_key, "pictures", build).ref()


def rows_a_shard(recipe: Recipe) -> int:
    """Half as many as of other stages where batches fill them: painting is slow, and workers end together."""
    half = shards.ROWS_PER_SHARD // 2
    return shards.ROWS_PER_SHARD if half % recipe.pictures.batch_size else half
