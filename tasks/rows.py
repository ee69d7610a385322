"""Rows of several shards in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from blip_core.records import Row
from blip_core.store import Artifact, iter_rows, write_rows

REJECTIONS = "rejections.parquet"

Record = TypeVar("Record", bound=Row)


def gather(
    shards: Sequence[Artifact], name: str, folder: Path, record: type[Record], schema: pa.Schema
) -> int:
    """Write the rows that shards hold under a name to one file of that name; gives their number."""
    rows = (row for shard in shards for row in iter_rows(shard.path / name, record))
    return write_rows(folder / name, rows, schema)
