"""When two questions about one picture ask the same in other words, and which model tells."""

from typing import Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section
from blip_core.recipes.checkpoint import Checkpoint


class RewordedQuestions(Section):
    """Gate: questions about one picture that ask the same in other words, by their embeddings."""

    enabled: bool = False
    """Whether the gate is on."""
    model: Checkpoint | None = None
    """Model that embeds sentences, such as all-MiniLM-L6-v2."""
    min_cosine: float = Field(default=0.7, gt=0.0, le=1.0)
    """Least cosine of two questions with the same answer that ask the same."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and self.model is None:
            raise ValueError(
                "enabled is true and model is absent: name a model that embeds sentences, such as "
                "all-MiniLM-L6-v2, or take the gate same_questions, which needs none"
            )
        return self
