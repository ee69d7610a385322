"""A store as a small run leaves it, made by the library's own functions with scripted models."""

import json
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from PIL import Image

from blip_core.backends.scripted import ScriptedLabeller, ScriptedPainter, ScriptedWriter
from blip_core.curation import curate
from blip_core.dataset import assign_splits, read_split, write_dataset
from blip_core.labelling import label_pictures
from blip_core.painting import paint_pictures
from blip_core.recipes import Recipe, load_recipe
from blip_core.records import (
    LABEL_SCHEMA,
    PICTURE_SCHEMA,
    PREDICTION_SCHEMA,
    REJECTION_SCHEMA,
    SCENE_SCHEMA,
    SPLITS,
    Example,
    Label,
    Picture,
    Prediction,
)
from blip_core.scenes import write_scenes
from blip_core.store import Artifact, Store, write_rows
from tests.unit.examples import world_pixels

SCENES = 10
FIELDS = [f"scenes.count={SCENES}", "labels.per_picture=1", "labels.retries=0", "dataset.test_share=0.2"]


def small_recipe(*overrides: str) -> Recipe:
    return load_recipe("gallery-vqa", "pocket", [*FIELDS, *overrides])


class GrownStore:
    """Publishes one artefact of each kind; `says` tells whether manifests name what they were made from."""

    def __init__(self, root: Path, recipe: Recipe | None = None, says: bool = True) -> None:
        self.store = Store(root)
        self.recipe = recipe or small_recipe()
        self._says = says
        self.scenes, scene_rows = self._write()
        self.pictures, picture_rows = self._paint(scene_rows)
        self.labels, label_rows, refused = self._label(picture_rows)
        self.dataset = self._build(picture_rows, label_rows, refused)
        self.examples = [row for split in SPLITS for row in read_split(self.dataset.path, split)]
        self.adapter = self._tune()

    def predict(self, variant: str, examples: Sequence[Example], right: bool = True, **told) -> Artifact:
        """Publish answers; `told` joins or replaces what the manifest says."""
        rows = [_prediction(row, variant, right) for row in examples]
        facts = {"variant": variant, "evaluation": "split", "model": "m" * 64}
        parents = told.pop("made_from", {"dataset": self.dataset.key, "adapter": self.adapter.key})
        return self._publish(
            "predictions",
            f"{variant}-{right}",
            lambda folder: write_rows(folder / "predictions.parquet", rows, PREDICTION_SCHEMA),
            parents,
            facts | told,
        )

    def score(self, variant: str, predictions: Artifact, accuracy: float) -> Artifact:
        told = {"value": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1, "n": 7}
        scores = {"variants": {variant: {"accuracy": told}}, "comparisons": []}
        return self._publish(
            "scores",
            variant,
            lambda folder: (folder / "scores.json").write_text(json.dumps(scores)),
            {variant: predictions.key},
            {"recipe": self.recipe.name},
        )

    def _publish(self, kind, name, write, made_from, told) -> Artifact:
        key = self.store.key(kind, {"name": name, "recipe": self.recipe.digest(), "from": made_from})
        lineage = {"made_from": made_from} if self._says else {}
        if not self._says:
            told = {
                field: told[field] for field in told if field not in ("settings", "model", "recipe", "base")
            }

        def build(folder: Path) -> dict:
            rows = write(folder)
            return {"rows": rows} | told | lineage

        return self.store.publish(key, kind, build)

    def _settings(self, *sections: str) -> dict:
        return self.recipe.model_dump(mode="json", include={"name", "profile", "seed", *sections})

    def _write(self):
        lists = (
            "\n".join(f"{line}. Scene {call} shows dog {line} on the beach." for line in range(1, 6))
            for call in range(100)
        )
        rows, _ = write_scenes(ScriptedWriter(lists), self.recipe.scenes, self.recipe.seed)
        told = {"model": "w" * 64, "settings": self._settings("scenes"), "asked": SCENES}
        made = self._publish(
            "scenes", "s", lambda folder: write_rows(folder / "scenes.parquet", rows, SCENE_SCHEMA), {}, told
        )
        return made, rows

    def _paint(self, scenes):
        """The third picture is refused as blank."""
        images = [Image.fromarray(world_pixels(number)) for number in range(len(scenes))]
        images[2] = Image.new("RGB", (8, 8))
        rows, refused = paint_pictures(
            ScriptedPainter(images), scenes, self.recipe.pictures, self.recipe.seed
        )

        def write(folder: Path) -> int:
            write_rows(folder / "rejections.parquet", refused, REJECTION_SCHEMA)
            return write_rows(folder / "pictures.parquet", rows, PICTURE_SCHEMA)

        self._picture_refusals = refused
        told = {"model": "p" * 64, "settings": self._settings("pictures", "source"), "asked": len(scenes)}
        return self._publish("pictures", "p", write, {"scenes": self.scenes.key}, told), rows

    def _label(self, pictures: Sequence[Picture]):
        """The second label cannot be read."""
        rows, refused = label_pictures(
            ScriptedLabeller(_labels()), pictures, self.recipe.labels, self.recipe.seed
        )

        def write(folder: Path) -> int:
            write_rows(folder / "rejections.parquet", refused, REJECTION_SCHEMA)
            return write_rows(folder / "labels.parquet", rows, LABEL_SCHEMA)

        told = {"model": "l" * 64, "settings": self._settings("labels"), "asked": len(pictures)}
        made = self._publish("labels", "l", write, {"pictures": self.pictures.key}, told)
        return made, rows, [*self._picture_refusals, *refused]

    def _build(self, pictures: Sequence[Picture], labels: Sequence[Label], refused) -> Artifact:
        painted = {picture.id: picture for picture in pictures}
        examples = [_example(painted[label.picture_id], label) for label in labels]
        curated = curate(examples, self.recipe.curation)
        splits = assign_splits(curated.kept, 0.2, 0.2, curated.near)
        told: dict = {}

        def write(folder: Path) -> int:
            told.update(
                write_dataset(folder, curated.kept, [*refused, *curated.rejections], splits, self.recipe, {})
            )
            return told["rows"]

        gates = [{"gate": one.gate, "seen": one.seen, "refused": one.refused} for one in curated.gates]
        told |= {"gates": gates, "recipe": self.recipe.name, "settings": self._settings("source")}
        return self._publish(
            "dataset", "d", write, {"pictures": self.pictures.key, "labels": self.labels.key}, told
        )

    def _tune(self) -> Artifact:
        told = {
            "steps": 12,
            "trainable": 1234,
            "best_validation_loss": 0.25,
            "recipe": self.recipe.name,
            "base": "pocket/blip2-t5",
        }

        def write(folder: Path) -> int:
            (folder / "adapter").mkdir()
            (folder / "adapter" / "adapter_config.json").write_text("{}")
            return len(self.examples)

        return self._publish("adapter", "a", write, {"dataset": self.dataset.key}, told)


def _labels() -> Iterator[str]:
    good = [
        f"Description: A dog runs on the beach, number {index}.\n\nQuestion: What runs here?\n"
        f"A. a dog\nB. a cat\nC. a cow\nD. a hen\n\nAnswer: {letter}"
        for index, letter in enumerate("ABCD")
    ]
    yield good[0]
    yield "Nothing of the kind."
    yield from cycle(good)


def _example(picture: Picture, label: Label) -> Example:
    return Example(
        id=label.id,
        picture_id=picture.id,
        group=picture.scene_id,
        category=picture.category,
        task="mcq",
        image=picture.png,
        description=label.description,
        question=label.question,
        a=label.a,
        b=label.b,
        c=label.c,
        d=label.d,
        answer=label.answer,
        target=label.options["ABCD".index(label.answer)],
        scene=picture.scene,
    )


def _prediction(row: Example, variant: str, right: bool) -> Prediction:
    ranked = row.answer if right else "ABCD"[("ABCD".index(row.answer) + 1) % 4]
    shares = {f"p_{letter.lower()}": 0.7 if letter == ranked else 0.1 for letter in "ABCD"}
    return Prediction(
        id=row.id,
        picture_id=row.picture_id,
        category=row.category,
        kind="",
        variant=variant,
        description=f"{variant} sees a dog",
        ranked=ranked,
        generated=ranked,
        generated_letter=ranked,
        truth=row.answer,
        **shares,
    )
