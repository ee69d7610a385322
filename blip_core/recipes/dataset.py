"""How examples are split and stored."""

import operator
import re
from typing import Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section

_FOLD = re.compile(r"([1-9][0-9]?)/([1-9][0-9]?)")


class Dataset(Section):
    """The Parquet dataset that comes out."""

    validation_share: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of groups (scenes) that training is watched on."""
    test_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of groups that is never trained on."""
    hold_out: str = Field(default="", exclude_if=lambda fold: not fold)
    """Fold that is never trained on, in place of test_share: `1/2` is the first of two; all others are."""
    train_rows: int = Field(default=0, ge=0, le=100_000_000, exclude_if=operator.not_)
    """Most training rows that are kept, drawn by a hash of their ids and the seed; 0 keeps all."""
    rows_per_group: int = Field(default=100, ge=1, le=100_000)
    """Rows in one Parquet row group."""
    rows_per_shard: int = Field(default=1000, ge=1, le=1_000_000)
    """Rows in one file, and in one unit of caching."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hold_out and self.fold is None:
            raise ValueError(
                f"hold_out is {self.hold_out!r}; write the fold and how many there are, from 1/2 to 99/99"
            )
        held_out = self.validation_share + self.test_share
        if held_out >= 1.0:
            raise ValueError(
                f"validation_share ({self.validation_share}) and test_share ({self.test_share}) "
                f"add up to {held_out:g}: nothing is left to train on"
            )
        return self

    @property
    def fold(self) -> tuple[int, int] | None:
        """The fold that is held out, from 0, and how many there are; None without folds."""
        found = _FOLD.fullmatch(self.hold_out)
        if found is None:
            return None
        place, count = int(found[1]), int(found[2])
        return (place - 1, count) if place <= count and count > 1 else None
