"""Walks one row back to the prompt that started it.

Prediction -> Example -> Label -> Picture -> Scene: a row is found by its id in the artefacts that one dataset
was made from, and each stage adds what its manifest says of the making. What an older manifest does not say
is absent, and the step says so.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from blip_core.dataset.finding import raw_rows_where, read_column, rows_where
from blip_core.dataset.reading import DATA
from blip_core.dataset.steps import (
    FROM_OUTSIDE,
    Step,
    asked_step,
    example_step,
    label_step,
    picture_step,
    prediction_step,
    refused_step,
    scene_step,
    settings_of,
)
from blip_core.dataset.writing import REJECTS
from blip_core.records import (
    SPLITS,
    Example,
    Label,
    Picture,
    Prediction,
    Rejection,
    Row,
    Scene,
    Split,
)
from blip_core.store import Artifact, read_rows
from blip_core.store.lineage import Lineage, made_from

ROW_FILES: Mapping[str, str] = {
    "scenes": "scenes.parquet",
    "pictures": "pictures.parquet",
    "labels": "labels.parquet",
    "predictions": "predictions.parquet",
    "answers": "answers.parquet",
}
"""Where the rows of a kind of artefact rest in its folder; those of datasets rest by split."""
REJECTIONS = "rejections.parquet"
CHAIN = ("dataset", "labels", "pictures", "scenes")
"""Kinds of artefacts that rows go through, last first."""
NEVER_SAID = "its dataset was made before lineage was kept"
MIXTURE = "mixture"
"""What the metadata of a dataset tell that was mixed of others."""
GONE = "the store no longer holds what it was made from"

_NEAR_IDS = 3
_ASKED = ("question", "picture_id")
_RECIPE_FACTS = ("name", "profile", "seed", "source")

_DESCENDANT = re.compile(r"(-p\d+)?(-q\d+)?(?<=\d)")
"""What ids of pictures and questions add to their parent's."""

RowType = TypeVar("RowType", bound=Row)


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one row.

    Attributes:
        id: the row that was asked for.
        steps: its stages, last first.
        dataset: the dataset it was followed in, if it came to one.
        also_in: other datasets with a row of that id, newest first.
    """

    id: str
    steps: Sequence[Step]
    dataset: Artifact | None = None
    also_in: Sequence[Artifact] = ()

    @property
    def picture(self) -> bytes:
        """Encoded bytes of its picture; empty where there is none."""
        return next((step.png for step in self.steps if step.png), b"")

    def to_dict(self) -> dict[str, Any]:
        """The trace as JSON values."""
        return {
            "id": self.id,
            "dataset": self.dataset.digest if self.dataset else None,
            "also_in": [other.digest for other in self.also_in],
            "steps": [step.to_dict() for step in self.steps],
        }


def trace_row(lineage: Lineage, row_id: str, dataset: Artifact | None = None) -> Trace | None:
    """Follow a row through the stages.

    Args:
        lineage: all artefacts of a store.
        row_id: of a prediction, an example, a label, a picture or a scene, refused ones among them.
        dataset: the dataset to look in; None takes the newest that has such a row.

    Returns:
        Its way, or None where nothing holds such a row.

    Raises:
        TableError: A file that has to be read is damaged.
    """
    for head in [dataset] if dataset else _heads(lineage):
        steps = _steps_in(lineage, head, row_id)
        if steps:
            home = head if head.kind == "dataset" else None
            said = answers_to(lineage, row_id, home, asked_in(steps))
            return Trace(row_id, [*said, *steps], home, _others(lineage, row_id, home))
    said = answers_to(lineage, row_id, dataset)
    asked = _asked(lineage, row_id)
    return Trace(row_id, [*said, *asked]) if said or asked else None


def _steps_in(lineage: Lineage, head: Artifact, row_id: str) -> list[Step]:
    """Stages of a row; those of a row that was mixed in are followed in the set that it was drawn from."""
    if MIXTURE not in head.metadata:
        return _Chain(lineage, head).steps(row_id)
    if row_id not in _mentioned(head):
        return []
    mixed = _Chain(lineage, head).steps(row_id)
    asked = asked_in(mixed).get("question")
    for name, one in _sets_of(lineage, head).items():
        for known in dict.fromkeys((row_id, row_id.removeprefix(f"{name}-"))):
            steps = _steps_in(lineage, one, known)
            if steps and asked_in(steps).get("question") == asked:
                return steps
    return mixed


def _sets_of(lineage: Lineage, mixture: Artifact) -> dict[str, Artifact]:
    """The datasets that a mixture was drawn from, by the names they have in it, as far as they are there."""
    held = {one.key: one for one in lineage.of_kind("dataset")}
    return {name: held[key] for name, key in (made_from(mixture) or {}).items() if key in held}


def answers_to(
    lineage: Lineage, row_id: str, dataset: Artifact | None = None, asked: Mapping[str, Any] | None = None
) -> list[Step]:
    """What variants said of a row, newest first.

    Args:
        lineage: all artefacts of a store.
        row_id: of the question.
        dataset: where given, answers that go back to other datasets are left out.
        asked: `question` and `picture_id`; where given, answers to another question of the same id are left
            out, since tables number their rows as they like.
    """
    asked = asked or {}
    said = [
        (artifact, row)
        for artifact in lineage.of_kind("predictions")
        if dataset is None or _may_be_about(lineage, artifact, dataset)
        for row in raw_rows_where(artifact.path / ROW_FILES["predictions"], "id", row_id)
    ]
    return [
        prediction_step(artifact, _prediction(row), lineage.ancestor(artifact, "adapter"))
        for artifact, row in [*said, *_table_answers(lineage, row_id)]
        if all(row[name] == asked[name] for name in _ASKED if name in row and name in asked)
    ]


def asked_in(steps: Sequence[Step]) -> Mapping[str, Any]:
    """What tells a question from others of its id, as far as the steps say."""
    return next((step.facts for step in steps if "question" in step.facts), {})


def _asked(lineage: Lineage, row_id: str) -> list[Step]:
    """The questions of this id in tables that were answered, each once, and rows of it that were refused."""
    asked = {row["question"]: asked_step(one, row) for one, row in _table_answers(lineage, row_id)}
    refused = {
        rejection: refused_step(rejection, one)
        for one in lineage.of_kind("answers")
        for rejection in rows_where(one.path / REJECTIONS, Rejection, "id", row_id)
    }
    return [*asked.values(), *refused.values()]


def _table_answers(lineage: Lineage, row_id: str) -> Iterator[tuple[Artifact, dict[str, Any]]]:
    for artifact in lineage.of_kind("answers"):
        for row in raw_rows_where(artifact.path / ROW_FILES["answers"], "id", row_id):
            yield artifact, row


def _prediction(row: Mapping[str, Any]) -> Prediction:
    """What was said, of a row that holds the question, too."""
    return Prediction.from_row({one.name: row[one.name] for one in fields(Prediction) if one.name in row})


def near_ids(lineage: Lineage, row_id: str, others: Iterable[str] = ()) -> list[str]:
    """Ids in the store, or among others, that look like one that is not there, likest first."""
    held = [one for kind in (*CHAIN, "predictions", "answers") for one in lineage.of_kind(kind)]
    known = {*others, *(known for one in held for known in _ids(one))}
    return difflib.get_close_matches(row_id, sorted(known), n=_NEAR_IDS)


def _heads(lineage: Lineage) -> Iterator[Artifact]:
    """Datasets, newest first, then what no dataset was made from: a run may have ended before it had one."""
    covered: set[str] = set()
    for kind in CHAIN:
        for head in lineage.of_kind(kind):
            if head.key not in covered:
                if MIXTURE not in head.metadata:  # which holds but a part of its sets
                    covered |= {above.key for above in lineage.ancestors(head)}
                yield head


class _Chain:
    """The artefacts that one artefact goes back to, itself among them: the nearest of each kind."""

    def __init__(self, lineage: Lineage, head: Artifact) -> None:
        self._parts: dict[str, Artifact] = {}
        for artifact in [head, *lineage.ancestors(head)]:
            self._parts.setdefault(artifact.kind, artifact)
        self._unknown = _why_unknown(lineage, self._parts.values())

    def steps(self, row_id: str) -> list[Step]:
        """Stages of the question, the picture or the scene with this id; none where there is none."""
        refused = self._refusals(row_id)
        examples = self._examples("id", row_id)
        labels = self._rows("labels", Label, "id", row_id)
        if examples or labels or any(one.stage != "pictures" for one in refused):
            return self._question(row_id, refused, examples, labels)
        pictures = self._rows("pictures", Picture, "id", row_id)
        examples = self._examples("picture_id", row_id)
        if pictures or examples or refused:
            asked = self._questions(row_id, examples)
            return [*asked, *map(refused_step, refused), *self._picture(row_id, examples)]
        examples = self._examples("group", row_id)
        if not examples and not self._rows("scenes", Scene, "id", row_id):
            return []
        painted = [picture_step(self._parts["pictures"], row) for row in self._pictures_of(row_id)]
        return [*self._questions(row_id, examples), *painted, *self._scene(row_id, examples)]

    def _question(
        self,
        row_id: str,
        refused: Sequence[Rejection],
        examples: Sequence[tuple[Split, Example]],
        labels: Sequence[Label],
    ) -> list[Step]:
        steps = [refused_step(one) for one in refused]
        steps += [example_step(self._parts["dataset"], split, row) for split, row in examples]
        steps += [label_step(self._parts["labels"], row, bool(examples)) for row in labels]
        if self._unknown and not labels:
            descriptions = [{"description": row.description} for _, row in examples]
            steps += [Step("label", row_id, next(iter(descriptions), {}), unknown=self._unknown)]
        parents = [row.picture_id for _, row in examples] + [row.picture_id for row in labels]
        return steps + self._picture(next(iter(parents), _parent(row_id)), examples)

    def _picture(self, picture_id: str, examples: Sequence[tuple[Split, Example]]) -> list[Step]:
        """The picture and what comes before it."""
        rows = self._rows("pictures", Picture, "id", picture_id)
        if rows:
            step = picture_step(self._parts["pictures"], rows[0])
            return [step, *self._scene(rows[0].scene_id, examples)]
        if examples:
            shown = examples[0][1]
            seen = {"sha256": sha256(shown.image).hexdigest()}
            seen |= {} if self._unknown else {"origin": FROM_OUTSIDE}
            place = self._parts["dataset"]
            step = Step("picture", picture_id, seen, place, self._unknown, shown.image)
            return [step, *self._scene(shown.group, examples)]
        return self._scene(_parent(picture_id), examples)

    def _scene(self, scene_id: str, examples: Sequence[tuple[Split, Example]]) -> list[Step]:
        """The scene and the recipe it was written for."""
        rows = self._rows("scenes", Scene, "id", scene_id)
        if rows:
            return [scene_step(self._parts["scenes"], rows[0]), *self._recipe()]
        texts = [row.scene for _, row in examples if row.scene]
        written = [Step("scene", scene_id, {"text": text}, unknown=self._unknown) for text in texts[:1]]
        return [*written, *self._recipe()]

    def _recipe(self) -> list[Step]:
        """What is known of the recipe; a stage shared by several knows the one that made it first."""
        told: dict[str, Any] = {}
        for part in reversed(self._parts.values()):
            settings = settings_of(part)
            told |= {name: settings[name] for name in _RECIPE_FACTS if name in settings}
            told |= {"name": part.metadata["recipe"]} if "recipe" in part.metadata else {}
        name = told.pop("name", "")
        return [Step("recipe", name, told)] if name or told else []

    def _questions(self, parent_id: str, examples: Sequence[tuple[Split, Example]]) -> list[Step]:
        """What became of a picture or scene, as far as there is a dataset that says."""
        kept = [{"id": row.id, "split": split, "question": row.question} for split, row in examples]
        refused = [
            {"id": one.id, "by": one.stage, "reason": one.reason}
            for one in self._all_refusals()
            if _DESCENDANT.fullmatch(one.id.removeprefix(parent_id))
        ]
        told = {"questions": kept + refused}
        return [Step("questions", parent_id, told, self._parts.get("dataset"))] if kept or refused else []

    def _pictures_of(self, scene_id: str) -> list[Picture]:
        return self._rows("pictures", Picture, "scene_id", scene_id)

    def _rows(self, kind: str, record: type[RowType], column: str, value: str) -> list[RowType]:
        part = self._parts.get(kind)
        return rows_where(part.path / ROW_FILES[kind], record, column, value) if part else []

    def _examples(self, column: str, value: str) -> list[tuple[Split, Example]]:
        part = self._parts.get("dataset")
        if part is None:
            return []
        return [
            (split, row)
            for split in SPLITS
            for path in _split_files(part, split)
            for row in rows_where(path, Example, column, value)
        ]

    def _refusals(self, row_id: str) -> list[Rejection]:
        return [one for one in self._all_refusals() if one.id == row_id]

    def _all_refusals(self) -> list[Rejection]:
        """Refused rows; a dataset repeats those of the stages before it."""
        if "dataset" in self._parts:
            return read_rows(self._parts["dataset"].path / REJECTS, Rejection)
        parts = [self._parts[kind] for kind in ("labels", "pictures") if kind in self._parts]
        return [one for part in parts for one in read_rows(part.path / REJECTIONS, Rejection)]


def _may_be_about(lineage: Lineage, artifact: Artifact, dataset: Artifact) -> bool:
    """Whether predictions go back to this dataset, or to none that is known."""
    datasets = {one.key for one in lineage.ancestors(artifact) if one.kind == "dataset"}
    return not datasets or dataset.key in datasets


def _parent(row_id: str) -> str:
    """Id of what a row was made from: ids are made of their parents' ids, see `blip_core.records`."""
    return row_id.rpartition("-")[0]


def _why_unknown(lineage: Lineage, parts: Iterable[Artifact]) -> str:
    parts = list(parts)
    if any(made_from(part) is None for part in parts):
        return NEVER_SAID
    return GONE if any(set(lineage.missing(part)) & set(CHAIN) for part in parts) else ""


def _others(lineage: Lineage, row_id: str, home: Artifact | None) -> list[Artifact]:
    """Other datasets in which a row, a picture or a group has this id; equal ones count once."""
    others = {one.digest: one for one in reversed(lineage.of_kind("dataset"))}
    return [
        one
        for digest, one in reversed(others.items())
        if (home is None or digest != home.digest) and row_id in _mentioned(one)
    ]


def _mentioned(dataset: Artifact) -> set[str]:
    rejected = read_column(dataset.path / REJECTS, "id")
    kept = [
        text
        for split in SPLITS
        for path in _split_files(dataset, split)
        for column in ("id", "picture_id", "group")
        for text in read_column(path, column)
    ]
    return {*rejected, *kept}


def _ids(artifact: Artifact) -> Iterator[str]:
    """Ids of all rows of an artefact, refused ones among them."""
    if artifact.kind == "dataset":
        paths = [path for split in SPLITS for path in _split_files(artifact, split)]
    else:
        paths = [artifact.path / ROW_FILES[artifact.kind]]
    rejected = [artifact.path / REJECTS, artifact.path / REJECTIONS]
    for path in [*paths, *(path for path in rejected if path.is_file())]:
        yield from read_column(path, "id")


def _split_files(dataset: Artifact, split: Split) -> list[Path]:
    return sorted((dataset.path / DATA).glob(f"{split}-*-of-*.parquet"))
