"""Rows of the pocket family's worlds: what is shown, and which of its sentences is learnt."""

from typing import Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import MAX_SEED, Section

World = Literal["gallery", "shop", "dishes"]
Sentence = Literal["caption", "loose", "object", "description", "detailed"]

SENTENCES: dict[World, tuple[Sentence, ...]] = {
    "gallery": ("caption", "description", "detailed"),
    "shop": ("caption", "loose", "object"),
    "dishes": ("caption",),
}
"""What is said of the pictures of each world."""


ATTRIBUTES: dict[World, frozenset[str]] = {
    "gallery": frozenset(("place", "time", "objects")),
    "shop": frozenset(("object", "color", "material")),
    "dishes": frozenset(("object", "place", "time")),
}
"""What is true of the pictures of each world, by name."""


class PocketRows(Section):
    """Pictures composed from a pocket world with sentences or questions whose truth is known.

    The same world, split, seed and recipe's seed give the same pictures.
    """

    world: World
    """What is shown: objects at places, one object for sale, or one dish."""
    count: int = Field(ge=1, le=100_000)
    """Number of pictures."""
    style: Literal["generic", "shifted"] = "generic"
    """How a gallery is photographed: clean and upright, or as snapshots are."""
    split: Literal["train", "held-out"] = "train"
    """Pairs that members of the family were trained on, or each with a pair that none of them saw."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Tells sets of one recipe apart; beside the recipe's own."""
    sentence: Sentence = "caption"
    """Which sentence is a picture's caption: `loose` is as sellers write, `object` names the object alone."""
    questions_each: int = Field(default=1, ge=1, le=8)
    """Questions a picture, where answers are learnt; fewer where a picture answers fewer."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        said = SENTENCES[self.world]
        if self.sentence not in said:
            raise ValueError(
                f"sentence is {self.sentence}, which is not said of the world {self.world}; allowed: "
                f"{', '.join(said)}"
            )
        if self.style == "shifted" and self.world != "gallery":
            raise ValueError(f"style is shifted, but the world {self.world} has one style; leave style out")
        if self.split == "held-out" and self.world == "dishes":
            raise ValueError(
                "split is held-out, but two of the three dishes have no place where they were never "
                "shown; give another seed instead, or hold out a fold (dataset.hold_out)"
            )
        if self.style == "shifted" and self.sentence == "detailed":
            raise ValueError(
                "sentence is detailed, which tells of two groups at most, and style is shifted, which shows "
                "three at times; take description"
            )
        return self

    @property
    def attributes(self) -> frozenset[str]:
        """What its rows tell of their pictures."""
        return ATTRIBUTES[self.world]

    def shows_same(self, other: "PocketRows") -> bool:
        """Whether both show the same pictures, as far as both go."""
        return all(getattr(self, name) == getattr(other, name) for name in _SHOWN)


_SHOWN = ("world", "style", "split", "seed")
