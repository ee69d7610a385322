"""A stage of its own: a variant answers the rows of somebody's table."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.errors import StageFailure, TableError
from blip_core.kinds import Kind
from blip_core.kinds.mcq import KIND as FOUR_OPTIONS
from blip_core.recipes import AnsweringVariant, Inference, Recipe, ServerVariant
from blip_core.recipes.columns import AnswersRead
from blip_core.records import EXAMPLE_SCHEMA, REJECTION_SCHEMA, Example, Prediction, Rejection
from blip_core.reporting.submission import Answered, answered_schema
from blip_core.sources.counted import count_rows
from blip_core.sources.opening import TableInput
from blip_core.sources.share import check_share
from blip_core.sources.table import iter_table
from blip_core.sources.table_keys import table_digest
from blip_core.sources.table_view import TableFiles, TableView, look_at
from blip_core.store import ArtifactRef, iter_rows, read_rows, write_rows
from blip_core.wiring import asking, variant_identity, workplace
from tasks import predict_variant
from tasks.crews import crew_for
from tasks.rows import REJECTIONS
from tasks.shards import ShardWork
from tasks.stage import path_of, stage

if TYPE_CHECKING:
    from collections.abc import Mapping


VERSION = 5
FILE = "answers.parquet"
_USABLE = "usable.parquet"


@dataclass(frozen=True, slots=True)
class QuestionTable:
    """A table that somebody handed in.

    Attributes:
        path: the table.
        images: folder that picture paths start at; None for the table's own.
        view: what it is taken for.
        answers: how answers are said to be read; empty, the rows tell.
        encoding: of its text, as somebody says it; empty, it is found out.
        digest: of the table and of its pictures.
        rows: how many it holds, those that cannot be used included.
    """

    path: Path
    images: Path | None
    view: TableView
    answers: AnswersRead
    encoding: str
    digest: str
    rows: int

    @classmethod
    def open(
        cls,
        path: Path,
        images: Path | None,
        given: "Mapping[str, str]",
        answers: AnswersRead = "",
        encoding: str = "",
        kind: Kind = FOUR_OPTIONS,
    ) -> "QuestionTable":
        """Find out what a table's columns and answers are, told or guessed.

        Raises:
            TableError: It cannot be read, a column cannot be found, or its answers can be read in two ways.
        """
        needs = kind.columns_needed(answered=False)
        view = look_at(path, given, answers, needs, encoding, kind.passes_over)
        digest = table_digest(path, images, view.columns, answers, encoding)
        rows = count_rows(TableInput(path, encoding), view.columns.image)
        return cls(path, images, view, answers, encoding, digest, rows)

    @property
    def files(self) -> TableFiles:
        return TableFiles(self.path, self.images, self.view.columns, self.answers, self.encoding)

    def check_complete(self, answered: int, refused: int) -> None:
        """Make sure that every row was answered or refused.

        Raises:
            StageFailure: Some were not.
        """
        if answered + refused != self.rows:
            raise StageFailure(
                f"{self.path} holds {self.rows:,} rows, but {answered:,} were answered and {refused:,} "
                "refused; nothing is written, since a row must not vanish"
            )


def key(
    recipe: Recipe,
    variant: AnsweringVariant,
    table: QuestionTable,
    adapter: ArtifactRef | None,
    server_facts: str = "",
) -> str:
    return _key(recipe, variant, table.digest, adapter, server_facts)


def _key(
    recipe: Recipe, variant: AnsweringVariant, table: str, adapter: ArtifactRef | None, server_facts: str
) -> str:
    inputs = predict_variant.who_answers(recipe, variant, adapter, server_facts) | {
        "version": VERSION,
        "table": table,
    }
    return workplace().store.key("answers", inputs)


@contextmanager
def answering_table(
    recipe: Recipe,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    settings: Inference,
    server_facts: str,
    table: str,
) -> Iterator[ShardWork[Example]]:
    """What answers shards of a table's rows, with one model for all of them.

    Args:
        recipe: see `answer_table`.
        variant: the same.
        adapter: the same.
        settings: how rows are asked.
        server_facts: see `answer_table`.
        table: its digest.
    """
    whole = _key(recipe, variant, table, adapter, server_facts)
    load = partial(predict_variant.load_answering, recipe, variant, adapter)
    yield predict_variant.answer_work(whole, variant.name, settings, load)


@stage("predict {variant.name}", key)
def answer_table(
    recipe: Recipe,
    variant: AnsweringVariant,
    table: QuestionTable,
    adapter: ArtifactRef | None,
    server_facts: str = "",
) -> ArtifactRef:
    """Let a variant answer every row of a table that can be used.

    Args:
        recipe: how it answers.
        variant: who answers.
        table: where the rows come from.
        adapter: the adapter that the variant carries, if it is one of the store.
        server_facts: what the server of the variant tells of its model.
    """
    own_key = key(recipe, variant, table, adapter, server_facts)

    def build(folder: Path) -> dict[str, Any]:
        usable = folder / _USABLE
        flags: dict[str, str] = {}
        total, rejections = keep_usable(table, usable, flags)
        settings = asking(recipe, variant, predict_variant.answers_learnt(recipe, variant, adapter))
        load = partial(predict_variant.load_answering, recipe, variant, adapter)
        told = {"variant": variant, "adapter": adapter, "settings": settings, "server_facts": server_facts}
        loads = not isinstance(variant, ServerVariant)
        with crew_for(recipe, answering_table, loads, **told, table=table.digest) as crew:
            shards = predict_variant.answer_in_shards(
                own_key,
                variant.name,
                iter_rows(usable, Example),
                settings,
                load,
                total,
                predict_variant.rows_a_shard(variant, settings),
                crew,
            )
        said = (row for shard in shards for row in iter_rows(shard.path / predict_variant.FILE, Prediction))
        asked = iter_rows(usable, Example)
        rows = (
            Answered.of(example, row, flags.get(example.id, ""))
            for example, row in zip(asked, said, strict=True)
        )
        answered = write_rows(folder / FILE, rows, answered_schema([recipe.task]))
        table.check_complete(answered, len(rejections))
        write_rows(folder / REJECTIONS, rejections, REJECTION_SCHEMA)
        usable.unlink()
        return {
            "rows": answered,
            "refused": len(rejections),
            "flagged": dict(sorted(Counter(flags.values()).items())),
            "variant": variant.name,
            "task": recipe.task,
            "model": variant_identity(variant, server_facts),
            **predict_variant.what_it_took(shards),
            "table": table.path.name,
            "made_from": {"adapter": adapter.key} if adapter else {},
        }

    return workplace().store.publish(own_key, "answers", build).ref()


def keep_usable(table: QuestionTable, path: Path, flags: dict[str, str]) -> tuple[int, list[Rejection]]:
    """Write the rows of a table that can be used to a file of our own: it is gone through more than once.

    Args:
        table: what is read.
        path: the file.
        flags: receives, by id, what is odd about a row's picture.

    Returns:
        How many there are, and those that are refused.

    Raises:
        TableError: Too many are refused, or the table changed meanwhile.
    """
    files = table.files
    rejections: list[Rejection] = []

    def usable() -> Iterator[Example]:
        for row in iter_table(*files, needs_answer=False, flags=flags):
            if isinstance(row, Rejection):
                rejections.append(row)
            else:
                yield row

    kept = write_rows(path, usable(), EXAMPLE_SCHEMA)
    check_share(str(table.path), kept + len(rejections), rejections)
    if table_digest(*files) != table.digest:
        raise TableError(f"{table.path} changed while it was read; run again")
    return kept, rejections


def usable_rows(table: QuestionTable) -> Iterator[Example]:
    """The rows of a table that can be used, read anew, one at a time."""
    return (row for row in iter_table(*table.files, needs_answer=False) if isinstance(row, Example))


def read_answers(ref: ArtifactRef) -> tuple[list[Answered], list[Rejection]]:
    """Answers in the table's order, and the rows that were refused."""
    folder = path_of(ref)
    return read_rows(folder / FILE, Answered), read_rows(folder / REJECTIONS, Rejection)
