"""Where pictures come from."""

from typing import Annotated, Literal

from pydantic import Field

from blip_core.recipes.base import Section


class PromptsSource(Section):
    """Pictures are painted of scenes that a language model writes."""

    kind: Literal["prompts"] = "prompts"
    """Scenes are written, then painted."""


class FolderSource(Section):
    """Pictures lie in a folder."""

    kind: Literal["folder"]
    """Pictures are read from a folder."""
    path: str = Field(min_length=1)
    """Folder with PNG, JPEG or WebP files."""
    recursive: bool = True
    """Whether folders below it are read too; a folder's name becomes the category."""


class TableSource(Section):
    """Pictures are named by a table."""

    kind: Literal["table"]
    """Pictures are named by the rows of a table."""
    path: str = Field(min_length=1)
    """CSV, JSONL or Parquet file; relative picture paths start at its folder."""
    image_column: str = Field(default="image", min_length=1)
    """Column with the path or the bytes of the picture."""
    category_column: str | None = None
    """Column with the category; absent, all rows share one."""


class WorldSource(Section):
    """Pictures are composed from the pocket world, whose truth is known; pocket profiles only."""

    kind: Literal["world"]
    """Pictures are composed, not painted."""
    style: Literal["generic", "shifted"] = "shifted"
    """How the scenes are photographed: clean and upright, or as snapshots are."""


Source = Annotated[PromptsSource | FolderSource | TableSource | WorldSource, Field(discriminator="kind")]
