"""What an inference did, in numbers that do not depend on the machine, and its time."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(slots=True)
class InferenceCounts:
    """Work done for some rows; counts of several runs add up.

    Attributes:
        rows: examples that were answered.
        pictures: distinct pictures among them.
        vision_forwards: pictures that went through the vision tower.
        prompts: prompts that the language model read, over both stages, modes and rotations.
        tokens: tokens of these prompts, image tokens among them.
        padded_tokens: pads that were computed beside them to read them; keys and values of a batch hold more.
        prefills: batches of prompts that were read; each gives the logits of the first position.
        decoder_steps: further passes through the decoder, to write texts or to score candidates.
        written_tokens: tokens that were written for rows not finished yet.
        halvings: times the batch was halved because memory ran out.
        seconds: wall time.
    """

    rows: int = 0
    pictures: int = 0
    vision_forwards: int = 0
    prompts: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    prefills: int = 0
    decoder_steps: int = 0
    written_tokens: int = 0
    halvings: int = 0
    seconds: float = 0.0

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Counts as `to_row` wrote them."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    def to_row(self) -> dict[str, Any]:
        """The counts by name, with what follows from them."""
        return asdict(self) | {"padded_share": self.padded_share, "rows_per_second": self.rows_per_second}

    def include(self, other: "InferenceCounts") -> None:
        """Add the counts of another part of the work."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def clear(self) -> None:
        """Begin anew."""
        for field in fields(self):
            setattr(self, field.name, field.default)

    @property
    def padded_share(self) -> float:
        """Share of pads among all tokens of prompts that were computed, 0 to 1."""
        computed = self.tokens + self.padded_tokens
        return self.padded_tokens / computed if computed else 0.0

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds if self.seconds else 0.0
