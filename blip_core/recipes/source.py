"""Where pictures come from."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section
from blip_core.recipes.columns import AnswersRead, TableColumns
from blip_core.recipes.native import NativeFiles, attributes_of
from blip_core.recipes.parts import SourcePart
from blip_core.recipes.pocket_rows import PocketRows


class _Source(Section):
    """What is known of any source."""

    @property
    def is_labelled(self) -> bool:
        """Whether questions and answers are the labeller's."""
        return True

    @property
    def is_made_here(self) -> bool:
        """Whether the pictures are made here."""
        return False

    @property
    def has_own_texts(self) -> bool:
        """Whether what is learnt comes with the pictures."""
        return False

    @property
    def attributes(self) -> frozenset[str]:
        """What its rows tell of their pictures, by name."""
        return frozenset()


class PromptsSource(_Source):
    """Pictures are painted of scenes that a language model writes."""

    kind: Literal["prompts"] = "prompts"
    """Scenes are written, then painted."""

    @property
    def is_made_here(self) -> bool:
        """Whether the pictures are made here."""
        return True


class FolderSource(_Source):
    """Pictures lie in a folder."""

    kind: Literal["folder"]
    """Pictures are read from a folder."""
    path: str = Field(min_length=1)
    """Folder with pictures: PNG, JPEG, WebP, AVIF, HEIC, TIFF, BMP or GIF files."""
    recursive: bool = True
    """Whether folders below it are read too; a folder's name becomes the category."""


class TableSource(_Source):
    """Pictures, and questions about them, stand in a table."""

    kind: Literal["table"]
    """The rows of a table name or hold the pictures."""
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
    questions: Literal["table", "labeller"] = "table"
    """Whether the table's own questions and answers are learnt, or the labeller asks about its pictures."""
    shuffle_options: bool = False
    """Whether the options of what is learnt are put in another order: for tables that favour a letter."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.shuffle_options and self.questions == "labeller":
            raise ValueError(
                "shuffle_options is true, but questions is labeller: its options are shuffled anyway; "
                "leave it out"
            )
        return self

    @property
    def is_labelled(self) -> bool:
        """Whether questions and answers are the labeller's."""
        return self.questions == "labeller"

    @property
    def has_own_texts(self) -> bool:
        """Whether what is learnt comes with the pictures."""
        return self.questions == "table"

    @property
    def attributes(self) -> frozenset[str]:
        """What its rows tell of their pictures, by name."""
        return frozenset(self.columns.attributes)


class WorldSource(_Source):
    """Pictures are composed from the pocket world, whose truth is known; pocket profiles only."""

    kind: Literal["world"]
    """Pictures are composed, not painted."""
    style: Literal["generic", "shifted"] = "shifted"
    """How the scenes are photographed: clean and upright, or as snapshots are."""

    @property
    def is_made_here(self) -> bool:
        """Whether the pictures are made here."""
        return True


class NoSource(_Source):
    """There is none: nothing is grown or tuned, variants answer and are scored."""

    kind: Literal["none"]
    """Nothing is learnt here; `foundry run` judges the variants as they are."""

    @property
    def is_labelled(self) -> bool:
        """Whether questions and answers are the labeller's."""
        return False


class NativeSource(_Source, NativeFiles):
    """A published set in the files it comes in."""

    kind: Literal["native"]
    """The files of a published set, as they are downloaded."""
    questions: Literal["own", "labeller"] = "own"
    """Whether the set's own texts are learnt, or the labeller asks about its pictures."""

    @property
    def is_labelled(self) -> bool:
        """Whether questions and answers are the labeller's."""
        return self.questions == "labeller"

    @property
    def has_own_texts(self) -> bool:
        """Whether what is learnt comes with the pictures."""
        return self.questions == "own"

    @property
    def attributes(self) -> frozenset[str]:
        """What its rows tell of their pictures, by name."""
        return attributes_of(self.layout)


class PocketSource(PocketRows, _Source):
    """Rows of a pocket world, texts and all; pocket profiles only."""

    kind: Literal["pocket"]
    """Pictures are composed, and what is true of them is learnt."""

    @property
    def is_labelled(self) -> bool:
        """Whether questions and answers are the labeller's."""
        return False

    @property
    def has_own_texts(self) -> bool:
        """Whether what is learnt comes with the pictures."""
        return True


class PluginSource(_Source, SourcePart):
    """Pictures come from a source of an installed package."""

    kind: Literal["plugin"]
    """An installed package brings the pictures."""


Source = Annotated[
    PromptsSource
    | FolderSource
    | TableSource
    | WorldSource
    | PocketSource
    | NativeSource
    | PluginSource
    | NoSource,
    Field(discriminator="kind"),
]
