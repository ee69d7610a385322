"""ShareGPT with pictures, as LLaMA-Factory reads it: a JSON list a split, and `dataset_info.json`.

Names of columns and tags are those that its data parser takes by default; `images` is relative to the folder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.exporting.conversation import fault, turns
from blip_core.exporting.form import Format, Rows, SplitRows
from blip_core.exporting.json_list import write_list
from blip_core.exporting.pictures import FOLDER, write_picture


def write(folder: Path, splits: SplitRows) -> None:
    for split, rows in splits.items():
        write_list(folder / f"{split}.json", _samples(folder, rows))
    columns = {"messages": "conversations", "images": "images"}
    described = {
        split: {"file_name": f"{split}.json", "formatting": "sharegpt", "columns": columns}
        for split in splits
    }
    text = strict_json.dumps(described, indent=2) + "\n"
    (folder / "dataset_info.json").write_text(text, encoding="utf-8")


def _samples(folder: Path, rows: Rows) -> Iterator[dict[str, Any]]:
    for row in rows:
        pictures = [f"{FOLDER}/{write_picture(folder, row)}"]
        yield {"id": row.id, "conversations": turns(row), "images": pictures}


FORMAT = Format(
    "sharegpt", "ShareGPT conversations for LLaMA-Factory, with a folder of pictures", fault, write
)
