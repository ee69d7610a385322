"""VQA v2 (arXiv 1612.00837) and OK-VQA (arXiv 1906.00067): questions and annotations of the VQA challenge."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core.recipes.native import VqaSettings
from blip_core.sources.native.files import json_list
from blip_core.sources.native.layout import Layout, NativeRow, Unusable
from blip_core.sources.native.wording import worded

_PICTURE = "{split}/COCO_{split}_{number:012d}.jpg"


def _files_named(prefix: str) -> tuple[str, str]:
    return f"{prefix}OpenEnded_mscoco_{{split}}_questions.json", f"{prefix}mscoco_{{split}}_annotations.json"


def _layout(name: str, words: str, prefix: str, obtain: str, licence: str) -> Layout[VqaSettings]:
    def files(root: Path, settings: VqaSettings) -> list[Path]:
        return [root / one.format(split=settings.split) for one in _files_named(prefix)]

    def rows(root: Path, settings: VqaSettings) -> Iterator[NativeRow | Unusable]:
        questions, annotations = files(root, settings)
        return _rows(json_list(questions, "questions"), json_list(annotations, "annotations"), settings)

    return Layout(name, words, VqaSettings, files, rows, obtain, licence)


def _rows(
    questions: list[Any], annotations: list[Any], settings: VqaSettings
) -> Iterator[NativeRow | Unusable]:
    told = {one["question_id"]: one for one in annotations if _has_id(one)}
    times = Counter(one["question_id"] for one in annotations if _has_id(one))
    for place, one in enumerate(questions, start=1):
        if not _has_id(one):
            yield Unusable(f"question-{place}", "not-an-object", "it is no object with a question_id")
        elif times[one["question_id"]] != 1:
            yield _unannotated(one["question_id"], times[one["question_id"]])
        else:
            yield _row(one, told[one["question_id"]], settings)


def _has_id(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("question_id"), int)


def _unannotated(question: int, times: int) -> Unusable:
    if times:
        return Unusable(str(question), "repeated-annotation", f"it is annotated {times} times")
    return Unusable(str(question), "missing-annotation", "no annotation is of this question")


def _row(question: dict[str, Any], annotation: dict[str, Any], settings: VqaSettings) -> NativeRow | Unusable:
    name, number = str(question["question_id"]), question.get("image_id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        return Unusable(name, "missing-picture", f"its image_id is {number!r}, no number")
    if annotation.get("image_id", number) != number:
        other = annotation["image_id"]
        return Unusable(name, "contradicting-annotation", f"asked of image {number}, annotated for {other!r}")
    answers = annotation.get("answers")
    listed = answers if isinstance(answers, list) else []
    given = [one["answer"] for one in listed if isinstance(one, dict) and isinstance(one.get("answer"), str)]
    if not given or len(given) < len(listed):
        return Unusable(name, "unreadable-answers", "its answers are no list of objects with an answer each")
    return NativeRow(
        id=name,
        picture=_PICTURE.format(split=settings.split, number=number),
        question=worded(question.get("question"), settings.wording),
        answers=tuple(given),
        kind=str(annotation.get("answer_type", "")),
        group=str(number),
    )


_COCO = "COCO's annotations are CC BY 4.0, its pictures stand under the terms of Flickr, each with its own"

VQAV2 = _layout(
    "vqav2",
    "VQA v2: questions and ten answers each, pictures of COCO 2014",
    "v2_",
    "questions and annotations are at visualqa.org, train2014.zip and val2014.zip at cocodataset.org",
    f"Annotations of VQA v2 are CC BY 4.0; {_COCO}.",
)
OKVQA = _layout(
    "okvqa",
    "OK-VQA: questions that need outside knowledge, ten answers each, pictures of COCO 2014",
    "",
    "questions and annotations are at okvqa.allenai.org, train2014.zip and val2014.zip at cocodataset.org",
    f"OK-VQA states no licence beside its page; ask its authors before you pass rows on. {_COCO}.",
)
