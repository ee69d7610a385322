"""What is judged before, while and after an adapter is tuned, so that it shows what the model forgets."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug, Task
from blip_core.recipes.evaluation import Evaluation


class Probe(Section):
    """Fixed rows beside those that are learnt, such as general questions beside those of a shop."""

    name: Slug
    """Name of its curve."""
    task: Task
    """Kind of its rows."""
    prompt: str | None = None
    """How they are asked; if absent, as rows of their kind are."""
    rows: Evaluation
    """Where they come from: as `evaluation`, but for `split`."""
    limit: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Number of rows, from the start of these."""
    measure: str = Field(default="", max_length=64)
    """Measure that judges the answers, of which more is better; empty, the main one of its task."""
    every_steps: int = Field(default=0, ge=0, le=1_000_000)
    """Steps between two looks; 0 looks after every epoch."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rows.kind == "split":
            raise ValueError(
                f"probe {self.name}: rows.kind is split, whose rows are like those that are learnt and "
                "change with them; name rows that stay the same: pocket, table, native or bundled"
            )
        return self
