"""Models that look at what variants wrote, before it is measured."""

from collections.abc import Iterator
from typing import Literal

from blip_core.recipes.base import BatchSize, Section
from blip_core.recipes.checkpoint import Checkpoint


class Judging(Section):
    """Models that compare written texts with pictures and with right texts; without, no model does."""

    scorer: Checkpoint | None = None
    """Model that compares texts with pictures, as CLIP: for `picture-score` and `picture-verdict`."""
    ties: Literal["right", "wrong", "undecided"] = "right"
    """What a text is by `picture-verdict` that fits its picture exactly as well as the right one does."""
    embedder: Checkpoint | None = None
    """Model of sentence vectors, or a CLIP: for `sentence-cosine`."""
    batch_size: BatchSize = 32
    """Pictures compared at once."""

    def checkpoints(self) -> Iterator[tuple[str, Checkpoint]]:
        """Every checkpoint that it loads, with its field."""
        for field, checkpoint in (("scorer", self.scorer), ("embedder", self.embedder)):
            if checkpoint is not None:
                yield field, checkpoint
