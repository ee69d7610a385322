"""LLaVA: a JSON list a split, with `id`, `image` and `conversations`; pictures in the folder `images`.

The form is that of LLaVA's page on custom data; `image` is relative to its scripts' image folder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core.exporting.conversation import fault, turns
from blip_core.exporting.form import Format, Rows, SplitRows
from blip_core.exporting.json_list import write_list
from blip_core.exporting.pictures import write_picture


def write(folder: Path, splits: SplitRows) -> None:
    for split, rows in splits.items():
        write_list(folder / f"{split}.json", _samples(folder, rows))


def _samples(folder: Path, rows: Rows) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {"id": row.id, "image": write_picture(folder, row), "conversations": turns(row)}


FORMAT = Format("llava", "LLaVA's conversations, with a folder of pictures", fault, write)
