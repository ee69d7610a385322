"""DeepFashion-MultiModal (arXiv 2205.15996): people in clothes, captions and labels of what they wear."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core.errors import TableError
from blip_core.recipes.native import FashionSettings
from blip_core.sources.native.files import json_object, read_text_file
from blip_core.sources.native.layout import Layout, NativeRow, Unusable

_CAPTIONS = "captions.json"
Words = tuple[str, ...]  # a word for each number, "" for none

_YES: Words = ("no", "yes")
_SHAPE: Sequence[tuple[str, Words]] = (
    ("sleeves", ("sleeveless", "short", "medium", "long", "not long")),
    ("length", ("three-point", "medium short", "three-quarter", "long")),
    ("socks", ("no socks", "socks", "leggings")),
    ("hat", _YES),
    ("glasses", ("no glasses", "eyeglasses", "sunglasses", "glasses in hand or on clothes")),
    ("neckwear", _YES),
    ("wristwear", _YES),
    ("ring", _YES),
    ("waist", ("nothing", "belt", "clothing", "hidden")),
    ("neckline", ("v-shape", "square", "round", "standing", "lapel", "suspenders")),
    ("cardigan", ("yes", "no")),
    ("navel", ("no", "yes")),
)
_FABRIC: Words = ("denim", "cotton", "leather", "furry", "knitted", "chiffon", "other")
_PATTERN: Words = ("floral", "graphic", "striped", "pure color", "lattice", "other", "color block")
_PLACES = ("upper", "lower", "outer")
_LABELS: Mapping[str, Sequence[tuple[str, Words]]] = {
    "labels/shape/shape_anno_all.txt": _SHAPE,
    "labels/texture/fabric_ann.txt": [(f"{place}-fabric", _FABRIC) for place in _PLACES],
    "labels/texture/pattern_ann.txt": [(f"{place}-pattern", _PATTERN) for place in _PLACES],
}


def _files(root: Path, settings: FashionSettings) -> list[Path]:
    del settings
    return [root / _CAPTIONS, *(root / name for name in _LABELS)]


def _rows(root: Path, settings: FashionSettings) -> Iterator[NativeRow | Unusable]:
    del settings
    labels = [_labels(root / name, fields) for name, fields in _LABELS.items()]
    for name, caption in json_object(root / _CAPTIONS).items():
        yield _row(name, caption, labels)


def _row(name: str, caption: Any, labels: Sequence[Mapping[str, Mapping[str, str]]]) -> NativeRow | Unusable:
    if not isinstance(caption, str):
        return Unusable(name, "not-a-text", f"its caption is a {type(caption).__name__}")
    gender, garment, item = [*name.split("-"), "", "", ""][:3]  # WOMEN-Dresses-id_00000002-02_1_front.jpg
    told = {"gender": gender.lower(), "garment": garment.replace("_", " ").lower()}
    for one in labels:
        told |= one.get(name, {})
    return NativeRow(
        id=name,
        picture=f"images/{name}",
        captions=(caption,),
        category=garment,
        group=f"{gender}-{garment}-{item}" if item.startswith("id_") else "",
        attributes={field: word for field, word in told.items() if word},
    )


def _labels(path: Path, fields: Sequence[tuple[str, Words]]) -> dict[str, dict[str, str]]:
    """Words by picture. A number past the last word says that there is none.

    Raises:
        TableError: A line is no name with as many numbers as there are fields, or names a picture twice.
    """
    found: dict[str, dict[str, str]] = {}
    for number, line in enumerate(read_text_file(path).splitlines(), start=1):
        if not line.strip():
            continue
        name, *values = line.split()
        if len(values) != len(fields) or not all(value.isdecimal() for value in values):
            raise TableError(
                f"{path}, line {number}: a name and {len(fields)} numbers are owed: {line[:80]!r}"
            )
        if name in found:
            raise TableError(f"{path}, line {number}: {name} comes twice")
        found[name] = {
            field: words[int(value)] if int(value) < len(words) else ""
            for (field, words), value in zip(fields, values, strict=True)
        }
    return found


FASHION = Layout(
    "deepfashion-multimodal",
    "DeepFashion-MultiModal: people in clothes with captions, shapes, fabrics and patterns",
    FashionSettings,
    _files,
    _rows,
    "the links are in github.com/yumingj/DeepFashion-MultiModal",
    "DeepFashion-MultiModal is for non-commercial research alone, and may not be passed on.",
)
