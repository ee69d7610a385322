"""GQA (arXiv 1902.09506): questions about scene graphs, one answer each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core.recipes.native import GqaSettings
from blip_core.sources.native.files import json_object
from blip_core.sources.native.layout import Layout, NativeRow, Unusable
from blip_core.sources.native.wording import worded


def _files(root: Path, settings: GqaSettings) -> list[Path]:
    return [root / f"{settings.split}_questions.json"]


def _rows(root: Path, settings: GqaSettings) -> Iterator[NativeRow | Unusable]:
    (path,) = _files(root, settings)
    for name, one in json_object(path).items():
        yield _row(name, one, settings)


def _row(name: str, one: Any, settings: GqaSettings) -> NativeRow | Unusable:
    if not isinstance(one, dict):
        return Unusable(name, "not-an-object", f"it is a {type(one).__name__}, no question")
    picture, answer, kinds = one.get("imageId"), one.get("answer"), one.get("types")
    if not isinstance(picture, str) or not picture:
        return Unusable(name, "missing-picture", f"its imageId is {picture!r}, no text")
    if not isinstance(answer, str):
        return Unusable(name, "missing-answer", "it has no answer: questions of the test split have none")
    kind = kinds.get("structural") if isinstance(kinds, dict) else ""
    return NativeRow(
        id=name,
        picture=f"images/{picture}.jpg",
        question=worded(one.get("question"), settings.wording),
        answers=(answer,),
        kind=str(kind or ""),
        group=picture,
    )


GQA = Layout(
    "gqa",
    "GQA: questions made of scene graphs, one answer each",
    GqaSettings,
    _files,
    _rows,
    "questions1.2.zip and images.zip are at cs.stanford.edu/people/dorarad/gqa",
    "GQA's questions are CC BY 4.0; its pictures are Visual Genome's, of COCO and Flickr, each with its own "
    "licence.",
)
