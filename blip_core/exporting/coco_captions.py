"""COCO captions: `images` and `annotations` of a split in one JSON, pictures in the folder `images`.

A question's description of its picture is its caption; where several people wrote one, each is an annotation.
Numbers of pictures and annotations count from 1, as readers take 0 for none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.exporting.form import Format, Rows, SplitRows
from blip_core.exporting.pictures import write_picture
from blip_core.images import open_picture
from blip_core.kinds import kind_of
from blip_core.records import Example


def captions_of(row: Example) -> list[str]:
    """What describes a row's picture, each text once."""
    kind = kind_of(row.task)
    texts = [kind.described(row), *(() if kind.asks else row.references)]
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


def fault(row: Example) -> str:
    """Why a row says nothing of its picture."""
    return "" if captions_of(row) else "have no text that describes the picture"


def write(folder: Path, splits: SplitRows) -> None:
    for split, rows in splits.items():
        _write_split(folder, folder / f"captions_{split}.json", rows)


def _write_split(folder: Path, path: Path, rows: Rows) -> None:
    pictures: dict[str, dict[str, Any]] = {}
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "exported by blip-foundry"}, "licenses": [],\n"annotations": [')
        for number, annotation in enumerate(_annotations(folder, rows, pictures), 1):
            file.write((",\n" if number > 1 else "\n") + strict_json.dumps({"id": number, **annotation}))
        file.write('\n],\n"images": [\n')
        file.write(",\n".join(strict_json.dumps(picture) for picture in pictures.values()))
        file.write("\n]}\n")


def _annotations(folder: Path, rows: Rows, pictures: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Annotations in the rows' order; a picture's entry is added to `pictures` when it first comes."""
    written: set[tuple[int, str]] = set()
    for row in rows:
        name = write_picture(folder, row)
        if name not in pictures:
            pictures[name] = _entry(row, name, len(pictures) + 1)
        number = pictures[name]["id"]
        for caption in captions_of(row):
            if (number, caption) not in written:  # several questions may share picture and description
                written.add((number, caption))
                yield {"image_id": number, "caption": caption}


def _entry(row: Example, name: str, number: int) -> dict[str, Any]:
    with open_picture(row.image, f"the picture of {row.id}") as opened:
        width, height = opened.image.size
    return {"id": number, "file_name": name, "width": width, "height": height, "picture_id": row.picture_id}


FORMAT = Format("coco-captions", "COCO's captions, with a folder of pictures", fault, write)
