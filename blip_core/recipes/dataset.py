"""How examples are split and stored."""

from typing import Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section


class Dataset(Section):
    """The Parquet dataset that comes out."""

    validation_share: float = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of groups (scenes) that training is watched on."""
    test_share: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of groups that is never trained on."""
    rows_per_group: int = Field(default=100, ge=1, le=100_000)
    """Rows in one Parquet row group."""
    rows_per_shard: int = Field(default=1000, ge=1, le=1_000_000)
    """Rows in one file, and in one unit of caching."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        held_out = self.validation_share + self.test_share
        if held_out >= 1.0:
            raise ValueError(
                f"validation_share ({self.validation_share}) and test_share ({self.test_share}) "
                f"add up to {held_out:g}: nothing is left to train on"
            )
        return self
