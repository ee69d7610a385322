"""The shop: pictures of one object each, recoloured and covered with a material, with exact truth.

A style of the pocket world beside its gallery pictures, for recipes about attributes. A colour or a material
may be absent: such an object is of many colours, or smooth, and no word of the bank is right for it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blip_core.pocket.backgrounds import PICTURE_PX, Pixels
from blip_core.pocket.language import with_article
from blip_core.pocket.world import HELD_OUT_ONE_IN, OBJECT_NAMES, Split, sprite

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 40),
    "blue": (45, 80, 205),
    "black": (48, 48, 52),
    "white": (232, 232, 228),
    "green": (45, 150, 65),
    "brown": (130, 82, 45),
}
MATERIALS = ("leather", "canvas", "rubber", "synthetic")
UNSPECIFIED = "an unspecified"

_ABSENT_SHARE = 0.2  # of colours, and of materials
_SIDE_PX = (42, 50)
_JITTER_PX = 3.0
_RECOLOURED = 0.85  # the rest is the object's own colour
_BACKDROPS = ((226, 222, 214), (206, 216, 226), (214, 224, 206), (228, 212, 216))
_FLOOR_PX = 46
_FLOOR_LIGHT = 0.86
_RELIEF = 40.0  # what a texture adds where multiplying black would not show

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ShopItem:
    """The truth of one shop picture; None where an attribute is absent."""

    name: str
    color: str | None
    material: str | None


def is_held_out(name: str, word: str | None) -> bool:
    """Whether an object is never shown in a colour or of a material while a member is trained."""
    if word is None:
        return False
    return hashlib.sha256(f"shop|{name}|{word}".encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def draw_item(rng: np.random.Generator, split: Split = Split.TRAIN) -> ShopItem:
    """Draw an object with a colour and a material, each absent in one of five.

    Args:
        rng: source of randomness; the same state gives the same item.
        split: `TRAIN` draws no held-out pair, `TEST` at least one.
    """
    while True:
        color = None if rng.random() < _ABSENT_SHARE else str(rng.choice(list(COLORS)))
        material = None if rng.random() < _ABSENT_SHARE else str(rng.choice(MATERIALS))
        item = ShopItem(str(rng.choice(OBJECT_NAMES)), color, material)
        held_out = is_held_out(item.name, color) or is_held_out(item.name, material)
        if held_out == (split is Split.TEST):
            return item


def render_item(item: ShopItem, rng: np.random.Generator) -> Pixels:
    """Compose the picture of an item.

    Args:
        item: what is shown.
        rng: draws size, place, backdrop and the course of creases; the same state gives the same pixels.

    Returns:
        uint8, (64, 64, 3), RGB.
    """
    side = int(rng.integers(_SIDE_PX[0], _SIDE_PX[1] + 1))
    rgba = np.asarray(sprite(item.name).resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    alpha = rgba[..., 3:] / 255.0
    surface = _recoloured(rgba[..., :3], alpha[..., 0], item.color)
    canvas = _backdrop(rng)
    left, top = (int((PICTURE_PX - side) / 2 + rng.uniform(-_JITTER_PX, _JITTER_PX)) for _ in range(2))
    if item.material is not None:
        relief = _TEXTURES[item.material](side, rng)[..., None]
        surface = surface * relief + (relief - 1.0) * _RELIEF
    window = (slice(top, top + side), slice(left, left + side))
    canvas[window] = canvas[window] * (1.0 - alpha) + np.clip(surface, 0, 255) * alpha
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _backdrop(rng: np.random.Generator) -> Floats:
    wall = np.asarray(_BACKDROPS[int(rng.integers(len(_BACKDROPS)))], dtype=np.float32)
    canvas = np.broadcast_to(wall, (PICTURE_PX, PICTURE_PX, 3)).copy()
    canvas[_FLOOR_PX + int(rng.integers(-4, 5)) :] *= _FLOOR_LIGHT
    return canvas


def _recoloured(rgb: Floats, alpha: Floats, color: str | None) -> Floats:
    """The object in one colour, its light and shade kept; without a colour, in a fan of all hues."""
    shade = rgb @ np.asarray((0.299, 0.587, 0.114), dtype=np.float32) / 255.0
    middle = float((shade * alpha).sum() / alpha.sum())
    light = np.clip(0.92 + 0.7 * (shade - middle), 0.45, 1.25)[..., None]
    paint = _hues(len(rgb)) if color is None else np.asarray(COLORS[color], dtype=np.float32)
    mixed: Floats = paint * light * _RECOLOURED + rgb * (1.0 - _RECOLOURED)
    return mixed


def _hues(side: int) -> Floats:
    """Stripes of all hues from left to right: (side, side, 3)."""
    turns = np.linspace(0.0, 2.0 * np.pi, side, dtype=np.float32)
    row = np.stack([150.0 + 90.0 * np.cos(turns + shift) for shift in (0.0, 2.1, 4.2)], axis=-1)
    return np.broadcast_to(row[None], (side, side, 3)).astype(np.float32)


def _leather(side: int, rng: np.random.Generator) -> Floats:
    """Creases where a smooth random field crosses zero."""
    knots = rng.standard_normal((9, 9)).astype(np.float32)
    field = np.asarray(Image.fromarray(knots).resize((side, side), Image.Resampling.BICUBIC))
    return np.where(np.abs(field) < 0.17, 0.5, 1.02).astype(np.float32)


def _canvas(side: int, rng: np.random.Generator) -> Floats:
    """A weave of 2 px threads."""
    y, x = np.mgrid[:side, :side] // 2
    return np.where((x + y) % 2 == 0, 0.66, 1.1).astype(np.float32)


def _rubber(side: int, rng: np.random.Generator) -> Floats:
    """Level ribs, 6 px apart."""
    y = np.mgrid[:side, :side][0] + int(rng.integers(6))
    return np.where(y % 6 < 2, 0.5, 1.04).astype(np.float32)


def _synthetic(side: int, rng: np.random.Generator) -> Floats:
    """Slanting bands of gloss on a duller ground."""
    y, x = np.mgrid[:side, :side]
    return np.where((x + y + int(rng.integers(14))) % 14 < 4, 1.4, 0.84).astype(np.float32)


_TEXTURES: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "leather": _leather,
    "canvas": _canvas,
    "rubber": _rubber,
    "synthetic": _synthetic,
}


def base_caption(item: ShopItem) -> str:
    """What a table knows of a picture: its object alone."""
    return f"a photo of {with_article(item.name)}"


def full_caption(item: ShopItem, absent: str = UNSPECIFIED) -> str:
    """The true caption with both attributes; `absent` stands where there is none."""
    return f"{base_caption(item)} with {item.color or absent} color and {item.material or absent} material"


def loose_caption(item: ShopItem, rng: np.random.Generator) -> str:
    """A caption as sellers write them: attributes before the object, or after it, none where absent."""
    made = f" made of {item.material}" if item.material else ""
    if item.color is None or rng.random() < 0.5:
        phrase = f"{item.color} {item.name}" if item.color else item.name
        return f"a photo of {with_article(phrase)}{made}"
    return f"the {item.name} is {item.color}" + (f" and{made}" if made else "")


def shop_questions(item: ShopItem) -> list[tuple[str, str]]:
    """Questions with their true answers; none about an absent attribute."""
    rows = [("What is for sale here?", item.name)]
    if item.color:
        rows.append((f"What color is the {item.name}?", item.color))
    if item.material:
        rows.append((f"What is the {item.name} made of?", item.material))
    return rows
