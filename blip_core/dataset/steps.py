"""What is known of a row at one stage: what it says, and what its artefact's manifest says of the making."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from blip_core.recipes import Scenes
from blip_core.records import (
    LETTERS,
    OPTION_LETTERS,
    Example,
    Label,
    Picture,
    Prediction,
    Rejection,
    Scene,
    Split,
)
from blip_core.scenes import scene_prompt
from blip_core.store import Artifact

FROM_OUTSIDE = "brought from outside: no model painted it"


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a row at one stage.

    Attributes:
        stage: `prediction`, `refused`, `example`, `label`, `picture`, `scene`, `recipe`; `questions` lists
            what became of a picture or scene, `asked` stands for a row of a table, `composed` for a bundled
            question.
        id: of the row at this stage.
        facts: JSON values.
        artifact: where the row rests, if in the store.
        unknown: why no more is known, where that is so.
        png: encoded picture, if the step has one.
    """

    stage: str
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    artifact: Artifact | None = None
    unknown: str = ""
    png: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON values, its picture left out."""
        told: dict[str, Any] = {"stage": self.stage, "id": self.id, **self.facts}
        if self.artifact is not None:
            one = self.artifact
            told["artefact"] = {"kind": one.kind, "digest": one.digest, "path": str(one.path)}
        return told | ({"unknown": self.unknown} if self.unknown else {})


def settings_of(artifact: Artifact) -> Mapping[str, Any]:
    """Sections of the recipe that decided what an artefact holds; empty where its manifest does not say."""
    settings = artifact.metadata.get("settings")
    return settings if isinstance(settings, Mapping) else {}


def checkpoint_of(artifact: Artifact, section: str) -> dict[str, Any]:
    """Name and identity of the model that made an artefact, as far as its manifest says."""
    model = settings_of(artifact).get(section, {}).get("model", {})
    named = {"checkpoint": model["id"]} if "id" in model else {}
    return named | ({"model": artifact.metadata["model"]} if "model" in artifact.metadata else {})


def prediction_step(predictions: Artifact, row: Prediction, adapter: Artifact | None) -> Step:
    table = predictions.metadata.get("table")
    facts = {
        "variant": row.variant,
        "right": row.is_right if row.truth else None,
        "ranked": row.ranked,
        "truth": row.truth or row.target,
        "offered": row.offered,
        "p": dict(zip(OPTION_LETTERS, row.probabilities, strict=False)),
        "generated": row.generated,
        "generated_letter": row.generated_letter,
        "description": row.description,
        "judged_on": f"table {table}" if table else predictions.metadata.get("evaluation"),
        "model": predictions.metadata.get("model"),
        "adapter": adapter.digest if adapter else None,
        **found_about(row),
    }
    return Step("prediction", row.id, facts, predictions)


def asked_step(answers: Artifact, row: Mapping[str, Any]) -> Step:
    """The question of a table, as it rests beside its answer."""
    texts = [*(row[letter.lower()] for letter in LETTERS), *(row["more"] or ())]
    options = dict(zip(OPTION_LETTERS, texts, strict=False))
    facts = {"question": row["question"], "options": options, "answer": row["truth"], "target": ""}
    facts |= {"context": row["context"]} if row.get("context") else {}
    return Step("asked", row["id"], facts | {"table": answers.metadata.get("table")}, answers)


def example_step(dataset: Artifact, split: Split, row: Example) -> Step:
    facts = {
        "split": split,
        "picture_id": row.picture_id,
        "category": row.category,
        "question": row.question,
        "options": _lettered(row),
        "answer": row.answer,
        "target": row.target,
        "gates_passed": [gate["gate"] for gate in dataset.metadata.get("gates", ())],
        **({"context": row.context} if row.context else {}),
        **found_about(row),
        **({"mended": row.mended} if row.mended else {}),
    }
    return Step("example", row.id, facts, dataset)


def found_about(row: Example | Prediction) -> dict[str, Any]:
    """Attributes and scores of a row, where it has any."""
    told = {"attributes": dict(row.attributes), "scores": dict(row.scores)}
    return {name: found for name, found in told.items() if found}


def refused_step(row: Rejection, place: Artifact | None = None) -> Step:
    return Step("refused", row.id, {"by": row.stage, "reason": row.reason, "detail": row.detail}, place)


def label_step(labels: Artifact, row: Label, is_asked: bool) -> Step:
    """A label; its question is left out where the example has said it."""
    settings = settings_of(labels).get("labels", {})
    asked = {
        "picture_id": row.picture_id,
        "question": row.question,
        "options": _lettered(row),
        "answer": row.answer,
    }
    facts = {"description": row.description} | ({} if is_asked else asked) | {"attempt": row.attempt + 1}
    if "retries" in settings:
        facts["attempts_allowed"] = settings["retries"] + 1
    facts |= checkpoint_of(labels, "labels")
    facts |= {"prompt": settings["prompt"].strip()} if "prompt" in settings else {}
    return Step("label", row.id, facts, labels)


def picture_step(pictures: Artifact, row: Picture) -> Step:
    facts: dict[str, Any] = {"width_px": row.width_px, "height_px": row.height_px, "sha256": row.sha256}
    if not row.scene:
        return Step("picture", row.id, facts | {"origin": FROM_OUTSIDE}, pictures, png=row.png)
    facts |= {"seed": row.seed} | checkpoint_of(pictures, "pictures") | _painting(settings_of(pictures), row)
    return Step("picture", row.id, facts, pictures, png=row.png)


def _painting(settings: Mapping[str, Any], row: Picture) -> dict[str, Any]:
    """How a picture was asked for; a composer reads the scene itself and knows no steps."""
    dials = settings.get("pictures", {})
    if not dials:
        return {}
    if settings.get("source", {}).get("kind") == "world":
        return {"prompt": row.scene, "checkpoint": "the composer of the pocket world"}
    told = {name: dials[name] for name in ("negative_prompt", "steps", "guidance_scale") if dials.get(name)}
    return {"prompt": dials["prompt"].format(scene=row.scene), **told}


def scene_step(scenes: Artifact, row: Scene) -> Step:
    facts = {"text": row.text, "category": row.category, "call": row.call, "line": row.line}
    facts |= checkpoint_of(scenes, "scenes") | _writing(settings_of(scenes), row)
    return Step("scene", row.id, facts, scenes)


def _writing(settings: Mapping[str, Any], row: Scene) -> dict[str, Any]:
    """The prompt that a scene answers, filled in."""
    try:
        asked = Scenes.model_validate(settings.get("scenes"))
    except ValidationError:  # absent, or of a schema of another day: what a prompt was then is not guessed
        return {}
    categories = {category.name: category for category in asked.categories}
    if row.category not in categories:
        return {}
    return {"prompt": scene_prompt(categories[row.category], asked).strip()}


def _lettered(row: Example | Label) -> dict[str, str]:
    return dict(zip(OPTION_LETTERS, row.options, strict=False))
