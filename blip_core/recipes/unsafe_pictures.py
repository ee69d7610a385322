"""Which pictures nobody wants in the data, and which model tells them."""

from typing import Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section
from blip_core.recipes.checkpoint import Checkpoint


class UnsafePictures(Section):
    """Gate: pictures that a classifier takes for safe, from outside or of painters without a checker."""

    enabled: bool = False
    """Whether the gate is on. What a painter's own checker flags is refused in any case."""
    model: Checkpoint | None = None
    """Model that classifies pictures, or one that embeds pictures and texts, as CLIP."""
    labels: tuple[str, ...] = Field(
        default=("nsfw", "unsafe", "porn", "hentai", "sexy"), min_length=1, max_length=50, strict=False
    )
    """What the model calls unsafe: its own labels, whatever their case, or texts for one that embeds."""
    safe_labels: tuple[str, ...] = Field(
        default=("a photograph", "a drawing", "a picture of everyday things"),
        min_length=1,
        max_length=50,
        strict=False,
    )
    """Texts for safe pictures, where the model embeds; a classifier has labels of its own for these."""
    max_score: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Largest probability of unsafe labels together."""
    batch_size: int = Field(default=16, ge=1, le=4096)
    """Pictures looked at at once."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.enabled and self.model is None:
            raise ValueError(
                "enabled is true and model is absent: name a model that classifies pictures, such as a ViT "
                "or CLIP checkpoint, or switch the gate off"
            )
        return self
