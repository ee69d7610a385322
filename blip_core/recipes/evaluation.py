"""What the variants are judged on."""

from typing import Annotated, Literal

from pydantic import Field

from blip_core.recipes.base import Section
from blip_core.recipes.columns import AnswersRead, TableColumns
from blip_core.recipes.native import NativeFiles
from blip_core.recipes.pocket_rows import PocketRows


class BundledEvaluation(Section):
    """The pocket family's own set, with exact truth."""

    kind: Literal["bundled"]
    """The sets that ship with the pocket family."""
    style: Literal["shifted", "generic"] = "shifted"
    """Snapshots such as the BLIP-2 models never saw, or pictures such as they were trained on."""
    limit: int | None = Field(default=None, ge=1)
    """Number of questions to ask, from the start of the set; if absent, all."""


class TableEvaluation(Section):
    """A table of one's own."""

    kind: Literal["table"]
    """A table that is handed in."""
    path: str = Field(min_length=1)
    """CSV, TSV, XLSX, JSON, Parquet or Arrow file, or a folder that `datasets` wrote."""
    images: str = ""
    """Folder that picture paths are relative to; if empty, the table's own."""
    columns: TableColumns = TableColumns()
    """Which column is what; those left out are guessed from their names."""
    answers: AnswersRead = ""
    """How answers are read: as letters, texts, yes or no, places from 0 or from 1; empty, the rows tell."""
    encoding: str = ""
    """How its text is encoded, as Python calls it (`cp949`); empty, it is found out."""


class NativeEvaluation(NativeFiles):
    """A published set in the files it comes in."""

    kind: Literal["native"]
    """The files of a published set, as they are downloaded."""


class PocketEvaluation(PocketRows):
    """Rows of a pocket world, whose truth is exact."""

    kind: Literal["pocket"]
    """Pictures that are composed for the recipe."""


class SplitEvaluation(Section):
    """The dataset's test split; its truth is what the labeller said."""

    kind: Literal["split"] = "split"
    """The test split, labelled by the labeller."""
    splits: tuple[Literal["train", "test"], ...] = Field(
        default=("test",), min_length=1, strict=False, exclude_if=lambda splits: splits == ("test",)
    )
    """Which rows judge: `["train", "test"]` adds those that were learnt, as cross-fitting needs."""


EVALUATION_KINDS = ("bundled", "table", "native", "pocket", "split")
Evaluation = Annotated[
    BundledEvaluation | TableEvaluation | NativeEvaluation | PocketEvaluation | SplitEvaluation,
    Field(discriminator="kind"),
]
