"""WebDataset: tar shards of a split, a sample's picture and JSON under one name, in the rows' order."""

import io
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from blip_core import strict_json
from blip_core.exporting.form import Format, SplitRows
from blip_core.exporting.pictures import safe
from blip_core.images.media import suffix
from blip_core.records import Example

ROWS_PER_SHARD = 1_000


def write(folder: Path, splits: SplitRows) -> None:
    for split, rows in splits.items():
        waiting = iter(rows)
        number = 0
        while first := next(waiting, None):
            _write_shard(folder / f"{split}-{number:06d}.tar", number, first, waiting)
            number += 1


def _write_shard(path: Path, number: int, first: Example, waiting: Iterator[Example]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as shard:
        _add(shard, f"{number:06d}-000000", first)
        for place, row in enumerate(islice(waiting, ROWS_PER_SHARD - 1), 1):
            _add(shard, f"{number:06d}-{place:06d}", row)


def _add(shard: tarfile.TarFile, place: str, row: Example) -> None:
    """Add one sample; its place keeps names apart whose ids differ in unsafe characters alone."""
    key = f"{place}-{safe(row.id)}"
    texts = {name: value for name, value in row.to_row().items() if name != "image"}
    for ending, data in ((suffix(row.image), row.image), (".json", strict_json.dumps(texts).encode())):
        member = tarfile.TarInfo(key + ending)  # time, owner and mode are constants: equal rows, equal bytes
        member.size = len(data)
        shard.addfile(member, io.BytesIO(data))


def fault(row: Example) -> str:
    """Every row can be held."""
    del row
    return ""


FORMAT = Format("webdataset", "tar shards with picture and JSON of each row", fault, write)
