"""Stage 4: labels that pass the gates become a dataset."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from blip_core import curation
from blip_core.kinds import kind_of
from blip_core.recipes import Recipe
from blip_core.records import Example, Label, Picture, Rejection
from blip_core.store import ArtifactRef, read_rows
from blip_core.wiring import gate_identities, workplace
from tasks import label_pictures, paint_pictures
from tasks.curated import cut_by, write_curated
from tasks.gate_models import models_of_gates
from tasks.rows import REJECTIONS
from tasks.stage import path_of, stage, watcher


def key(recipe: Recipe, pictures: ArtifactRef, labels: ArtifactRef) -> str:
    inputs = {
        "version": curation.VERSION,
        "recipe": recipe.digest("curation", "dataset", "task", "name"),
        "pictures": pictures.digest,
        "labels": labels.digest,
        **gate_identities(recipe),
        **cut_by(recipe),
    }
    return workplace().store.key("dataset", inputs)


@stage("dataset", key)
def build_dataset(recipe: Recipe, pictures: ArtifactRef, labels: ArtifactRef) -> ArtifactRef:
    """Send labels through the gates, split what is kept and write it as a dataset."""

    def build(folder: Path) -> dict[str, Any]:
        painted = read_rows(path_of(pictures) / paint_pictures.FILE, Picture)
        labelled = read_rows(path_of(labels) / label_pictures.FILE, Label)
        earlier = [
            *read_rows(path_of(pictures) / REJECTIONS, Rejection),
            *read_rows(path_of(labels) / REJECTIONS, Rejection),
        ]
        examples = to_examples(recipe.task, painted, labelled)
        curated = curation.curate(examples, recipe.curation, models_of_gates(recipe))
        watcher().progress(1, 2)
        provenance = {"pictures": pictures.digest, "labels": labels.digest}
        made_from = {"pictures": pictures.key, "labels": labels.key}
        written = write_curated(folder, recipe, curated, earlier, provenance, made_from)
        watcher().progress(2, 2)
        return written

    return workplace().store.publish(key(recipe, pictures, labels), "dataset", build).ref()


def to_examples(task: str, pictures: Iterable[Picture], labels: Iterable[Label]) -> list[Example]:
    """Join labels with their pictures; a question's group is its scene."""
    by_id = {picture.id: picture for picture in pictures}
    return [_to_example(task, by_id[label.picture_id], label) for label in labels]


def _to_example(task: str, picture: Picture, label: Label) -> Example:
    kind = kind_of(task)
    return Example(
        id=label.id,
        picture_id=picture.id,
        group=picture.scene_id,
        category=picture.category,
        task=task,
        image=picture.png,
        description=label.description,
        question=label.question,
        a=label.a,
        b=label.b,
        c=label.c,
        d=label.d,
        answer=label.answer if kind.has_options else "",
        target=kind.label_target(label),
        scene=picture.scene,
        scores=label.scores,
    )
