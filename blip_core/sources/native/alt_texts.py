"""A folder of pictures that were gathered from pages, with a JSONL file of their alternative texts."""

import json
from collections.abc import Iterator
from pathlib import Path

from blip_core.recipes.native import AltTextSettings
from blip_core.sources.cells import MAX_ID_CHARACTERS
from blip_core.sources.native.files import read_text_file
from blip_core.sources.native.layout import Layout, NativeRow, Unusable


def _files(root: Path, settings: AltTextSettings) -> list[Path]:
    return [root / settings.index]


def _rows(root: Path, settings: AltTextSettings) -> Iterator[NativeRow | Unusable]:
    (path,) = _files(root, settings)
    for number, line in enumerate(read_text_file(path).splitlines(), start=1):
        if line.strip():
            yield _row(f"line-{number}", line, settings)


def _row(name: str, line: str, settings: AltTextSettings) -> NativeRow | Unusable:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unusable(name, "unreadable-row", f"it is no JSON: {error}")
    if not isinstance(content, dict):
        return Unusable(name, "not-an-object", f"it is a {type(content).__name__}, no object")
    picture, text = content.get(settings.picture_key), content.get(settings.text_key)
    if not isinstance(picture, str) or not picture:
        return Unusable(name, "missing-picture", f"it names no picture under {settings.picture_key!r}")
    if not isinstance(text, str):
        return Unusable(picture, "missing-text", f"it has no text under {settings.text_key!r}")
    kept = {key: content[key] for key in settings.kept if _is_kept(content.get(key))}
    return NativeRow(id=picture, picture=picture, captions=(text,), attributes=kept)


def _is_kept(value: object) -> bool:
    """Whether a row can bear it: what is no text, or a strange or long one, refuses no picture."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= MAX_ID_CHARACTERS


ALT_TEXTS = Layout(
    "alt-texts",
    "a folder of pictures with a JSONL file of their alternative texts",
    AltTextSettings,
    _files,
    _rows,
    "whoever gathered the pictures writes it, an object with the picture's name and its text a line",
    "Pictures and texts belong to the pages that they were taken from; look at their terms.",
)
