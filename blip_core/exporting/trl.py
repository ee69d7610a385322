"""TRL: Parquet with `images` and conversational `messages`, as it trains vision-language models on.

The content of a message is a list of parts, `{"type": "image"}` or `{"type": "text", "text": ...}`; TRL puts
the pictures of `images` in the places of the former.
"""

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blip_core.dataset.reading import DATA, file_name
from blip_core.exporting.conversation import answer_of, question_of, unanswered
from blip_core.exporting.form import Format, Rows, SplitRows
from blip_core.records import Example
from blip_core.store.rows import ROWS_PER_GROUP


def write(folder: Path, splits: SplitRows) -> None:
    schema = _schema()
    (folder / DATA).mkdir()
    for split, rows in splits.items():
        _write_split(folder / DATA / file_name(split, 0, 1), rows, schema)


def _write_split(path: Path, rows: Rows, schema: pa.Schema) -> None:
    waiting = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(waiting, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist([_sample(row) for row in group], schema=schema))


def _sample(row: Example) -> dict[str, Any]:
    asked = [{"type": "image", "text": None}, {"type": "text", "text": question_of(row)}]
    answered = [{"type": "text", "text": answer_of(row)}]
    return {
        "id": row.id,
        "images": [{"bytes": row.image, "path": None}],
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}],
    }


def _schema() -> pa.Schema:
    from datasets import Features, Image, List, Value  # takes seconds to import

    part = {"type": Value("string"), "text": Value("string")}
    message = {"role": Value("string"), "content": List(part)}
    features = Features({"id": Value("string"), "images": List(Image()), "messages": List(message)})
    return features.arrow_schema


FORMAT = Format("trl", "messages with pictures for TRL's trainers, as Parquet", unanswered, write)
