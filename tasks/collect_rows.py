"""Stage 4, first part, where rows are annotated: labels, a table or pictures become rows."""

from collections import Counter
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.kinds import kind_of
from blip_core.recipes import Recipe
from blip_core.records import EXAMPLE_SCHEMA, REJECTION_SCHEMA, Example, Label, Picture, Rejection
from blip_core.store import ArtifactRef, read_rows, write_rows
from blip_core.wiring import workplace
from tasks import label_pictures, paint_pictures
from tasks.build_dataset import to_examples
from tasks.read_table import OwnTexts, digest_of_texts, own_texts, shuffle_seed
from tasks.rows import REJECTIONS
from tasks.stage import path_of, stage, watcher

VERSION = 1
FILE = "rows.parquet"


def key(recipe: Recipe, pictures: ArtifactRef | None = None, labels: ArtifactRef | None = None) -> str:
    table = {} if pictures else {"table": digest_of_texts(recipe), "shuffle_seed": shuffle_seed(recipe)}
    inputs = {
        "version": VERSION,
        "recipe": recipe.digest("task"),
        **table,
        **({"pictures": pictures.digest} if pictures else {}),
        **({"labels": labels.digest} if labels else {}),
    }
    return workplace().store.key("rows", inputs)


@stage("rows", key)
def collect_rows(
    recipe: Recipe, pictures: ArtifactRef | None = None, labels: ArtifactRef | None = None
) -> ArtifactRef:
    """Make rows of labels and their pictures, of pictures alone, or of a table where neither is given."""
    own_key = key(recipe, pictures, labels)

    def build(folder: Path) -> dict[str, Any]:
        read = own_texts(recipe, {}) if pictures is None else _joined(recipe, pictures, labels)
        rows, rejections = read.examples, read.refused
        if key(recipe, pictures, labels) != own_key:
            raise TableError(f"the {recipe.source.kind} of rows changed while it was read; run again")
        ordered: list[Example] = sorted(rows, key=lambda row: row.id)
        kept = write_rows(folder / FILE, ordered, EXAMPLE_SCHEMA)
        write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
        watcher().progress(kept, kept)
        made_from = {"pictures": pictures, "labels": labels}
        return {
            "rows": kept,
            "asked": kept + len(rejections),
            "refused": dict(sorted(Counter(one.reason for one in rejections).items())),
            "provenance": dict(read.provenance),
            "recipe": recipe.name,
            "settings": recipe.model_dump(mode="json", include={"name", "profile", "seed", "source"}),
            "made_from": {name: ref.key for name, ref in made_from.items() if ref},
        }

    return workplace().store.publish(own_key, "rows", build).ref()


def _joined(recipe: Recipe, pictures: ArtifactRef, labels: ArtifactRef | None) -> OwnTexts:
    """Pictures with their labels, or alone where there are none yet."""
    shown = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
    rejections = read_rows(path_of(pictures) / REJECTIONS, Rejection)
    if labels is None:
        return OwnTexts([_undescribed(recipe.task, one) for one in shown], rejections, {}, _origin(pictures))
    said = read_rows(path_of(labels) / label_pictures.FILE, Label)
    rejections += read_rows(path_of(labels) / REJECTIONS, Rejection)
    provenance = {**_origin(pictures), "labels": labels.digest}
    return OwnTexts(to_examples(recipe.task, shown, said), rejections, {}, provenance)


def _origin(pictures: ArtifactRef) -> dict[str, str]:
    return {"pictures": pictures.digest}


def _undescribed(task: str, picture: Picture) -> Example:
    """A picture that nothing is said of yet; whatever its task, it has no question."""
    texts: dict[str, Any] = dict.fromkeys(
        ("description", "question", "a", "b", "c", "d", "answer", "target"), ""
    )
    return Example(
        id=f"{picture.id}-q0",
        picture_id=picture.id,
        group=picture.scene_id,
        category=picture.category,
        task=kind_of(task).name,
        image=picture.png,
        scene=picture.scene,
        **texts,
    )
