"""Vision states that are computed for every batch: for augmented pictures, and for a tower that is tuned."""

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from PIL import Image, ImageEnhance
from torch import Tensor

from blip_core.modeling.features import (
    VISION_TOWER,
    decode_picture,
    distinct_pictures,
    parted,
    pixel_values,
    readable_pictures,
    untrained_states,
)
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.vision_tower import is_trained
from blip_core.records import Example, Rejection

COLOUR_JITTER = 0.2
"""Brightness, contrast and saturation are multiplied by 1 - this to 1 + this: a fifth is seen, and yet leaves
a colour that a question asks for the same colour."""

_PICTURES_AT_ONCE = 16  # decoded to be looked at, not kept

Augmentation = Literal["none", "colour"]


class FreshVisionStates:
    """Runs the vision tower for every batch; keeps pictures as they are encoded, and no states.

    While an adapter on the tower is trained, `stack` gives pixels instead, (B, 3, height, width), which
    `image_features` sends through the tower: a gradient must be taken of the weights of this very step, and
    batches are collated a step ahead.

    Args:
        bundle: the model; an adapter may be attached later.
        augmentation: how pictures change from turn to turn.
        seed: of these changes.
    """

    def __init__(self, bundle: Blip2Bundle, augmentation: Augmentation = "none", seed: int = 0) -> None:
        self._bundle = bundle
        self._augmentation = augmentation
        self._seed = seed
        self._examples: dict[str, Example] = {}
        self._forwards = 0

    @property
    def forwards(self) -> int:
        """See `VisionStates.forwards`; pictures that were given as pixels count as well."""
        return self._forwards

    def add(self, examples: Iterable[Example]) -> list[Rejection]:
        """Look at pictures once, so that none fails in the middle of training; see `VisionStates.add`."""
        found = distinct_pictures(examples)
        new = {key: example for key, example in found.items() if key not in self._examples}
        rejections: list[Rejection] = []
        for batch in parted(new, _PICTURES_AT_ONCE):
            readable, refused = readable_pictures(batch)
            rejections += refused
            self._examples.update({key: batch[key] for key in readable})
        return rejections

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        """(B, P, V) in main memory, or pixels; see the class and `VisionStates.stack`."""
        pixels = pixel_values(self._bundle, [self._picture(key, turn) for key in keys])
        self._forwards += len(keys)
        if is_trained(self._bundle):
            return pixels.cpu()
        states = untrained_states(self._bundle, pixels).cpu()
        refuse_rows(finite_rows(states), [self._examples[key].id for key in keys], VISION_TOWER)
        return states

    def _picture(self, key: str, turn: int) -> Image.Image:
        picture = decode_picture(self._examples[key])
        if turn == 0 or self._augmentation == "none":
            return picture
        return jittered(picture, random.Random(f"{self._seed} {key} {turn}"))


def jittered(picture: Image.Image, rng: random.Random) -> Image.Image:
    """An RGB picture in other light: brightness, contrast and saturation, in this order."""
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = change(picture).enhance(rng.uniform(1 - COLOUR_JITTER, 1 + COLOUR_JITTER))
    return picture
