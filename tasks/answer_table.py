"""A stage of its own: a variant answers the rows of somebody's table."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.errors import TableError
from blip_core.recipes import Recipe, Variant
from blip_core.records import REJECTION_SCHEMA, Prediction, Rejection
from blip_core.reporting.submission import ANSWERED_SCHEMA, Answered
from blip_core.sources.columns import Columns
from blip_core.sources.table import find_columns, read_table, table_digest
from blip_core.store import ArtifactRef, iter_rows, read_rows, write_rows
from blip_core.wiring import (
    checkpoint_identity,
    inference_settings,
    workplace,
)
from tasks import predict_variant
from tasks.rows import REJECTIONS
from tasks.stage import path_of, stage

if TYPE_CHECKING:
    from collections.abc import Mapping


VERSION = 1
FILE = "answers.parquet"


@dataclass(frozen=True, slots=True)
class QuestionTable:
    """A table that somebody handed in.

    Attributes:
        path: the table.
        images: folder that picture paths start at; None for the table's own.
        columns: which column is what.
        digest: of the table and of its pictures.
    """

    path: Path
    images: Path | None
    columns: Columns
    digest: str

    @classmethod
    def open(cls, path: Path, images: Path | None, given: "Mapping[str, str]") -> "QuestionTable":
        """Find the columns of a table, told or guessed.

        Raises:
            TableError: It cannot be read, or a column cannot be found.
        """
        columns = find_columns(path, given)
        return cls(path, images, columns, table_digest(path, images, columns))


def key(recipe: Recipe, variant: Variant, table: QuestionTable, adapter: ArtifactRef | None) -> str:
    inputs = predict_variant.who_answers(recipe, variant, adapter) | {
        "version": VERSION,
        "table": table.digest,
    }
    return workplace().store.key("answers", inputs)


@stage("predict {variant.name}", key)
def answer_table(
    recipe: Recipe, variant: Variant, table: QuestionTable, adapter: ArtifactRef | None
) -> ArtifactRef:
    """Let a variant answer every row of a table that can be used.

    Args:
        recipe: how it answers.
        variant: who answers.
        table: where the rows come from.
        adapter: the adapter that the variant carries, if it is one of the store.
    """
    own_key = key(recipe, variant, table, adapter)

    def build(folder: Path) -> dict[str, Any]:
        examples, rejections = read_table(table.path, table.images, table.columns, needs_answer=False)
        if table_digest(table.path, table.images, table.columns) != table.digest:
            raise TableError(f"{table.path} changed while it was read; run again")
        load = partial(predict_variant.load_answering, recipe, variant, adapter)
        shards = predict_variant.answer_in_shards(
            own_key, variant.name, examples, inference_settings(recipe), load
        )
        said = (row for shard in shards for row in iter_rows(shard.path / predict_variant.FILE, Prediction))
        rows = (Answered.of(example, row) for example, row in zip(examples, said, strict=True))
        answered = write_rows(folder / FILE, rows, ANSWERED_SCHEMA)
        write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
        return {
            "rows": answered,
            "refused": len(rejections),
            "variant": variant.name,
            "model": checkpoint_identity(variant.model),
            "table": table.path.name,
            "made_from": {"adapter": adapter.key} if adapter else {},
        }

    return workplace().store.publish(own_key, "answers", build).ref()


def read_answers(ref: ArtifactRef) -> tuple[list[Answered], list[Rejection]]:
    """Answers in the table's order, and the rows that were refused."""
    folder = path_of(ref)
    return read_rows(folder / FILE, Answered), read_rows(folder / REJECTIONS, Rejection)
