"""One JSON list in a file, written item by item."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from blip_core import strict_json


def write_list(path: Path, items: Iterable[Any]) -> None:
    """Write items, one a line, so that no more than one is in memory."""
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, item in enumerate(items):
            file.write((",\n" if number else "\n") + strict_json.dumps(item))
        file.write("\n]\n")
