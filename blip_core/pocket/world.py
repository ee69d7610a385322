"""The pocket world: small gallery pictures composed from rendered objects, with exact symbolic truth.

A scene names a place, a time of day and, from left to right, groups of objects. A style says how
it is photographed: `generic` pictures are upright and clean, as captioned web pictures are;
`shifted` ones are crowded, rotated, blurred, noisy and tinted, as snapshots are.
"""

import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from blip_core.pocket.backgrounds import LIGHT, PANORAMA_PX, PICTURE_PX, Pixels, background

SPRITE_PX = 64
MAX_ITEMS = 4

OBJECTS: dict[str, tuple[str, ...]] = {
    "nature": ("elephant", "frog", "cactus", "sunflower", "mushroom", "butterfly", "turtle", "tree"),
    "travel": ("bus", "sailboat", "airplane", "bicycle", "tent", "rocket", "train", "car"),
    "casual": ("guitar", "football", "kite", "teddy bear", "umbrella", "present", "balloon", "clock"),
    "food": ("pizza", "burger", "apple", "banana", "watermelon", "cake", "coffee", "donut"),
}  # fmt: skip
CATEGORIES = tuple(OBJECTS)
OBJECT_NAMES = tuple(name for names in OBJECTS.values() for name in names)
PLACES = ("park", "beach", "mountains", "city", "desert", "sea", "meadow", "room")
TIMES = ("morning", "noon", "sunset", "night")

HELD_OUT_ONE_IN = 8  # one object-place pair in eight is never trained on
_ITEM_PX = {1: 36.0, 2: 29.0, 3: 25.0, 4: 22.0}  # side of one item, by how many share the picture
_SHIFTED_SCALE = (0.7, 1.15)
_SHIFTED_ROTATION_DEG = 40.0


class Style(StrEnum):
    """How a scene is photographed."""

    GENERIC = "generic"
    SHIFTED = "shifted"


class Split(StrEnum):
    """Which object-place pairs a scene may hold: `TRAIN` none that is held out, `TEST` at least one."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Group:
    """One to four equal objects that stand together."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class PocketScene:
    """The truth of one picture; groups are named from left to right."""

    place: str
    time: str
    groups: tuple[Group, ...]

    def group(self, name: str) -> Group | None:
        return next((group for group in self.groups if group.name == name), None)


@dataclass(frozen=True, slots=True)
class Item:
    """One placed object: centre and side in pixels, rotation in degrees."""

    name: str
    x_px: float
    y_px: float
    side_px: float
    rotation_deg: float
    flipped: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """One composed picture.

    Attributes:
        pixels: uint8, (64, 64, 3), RGB.
        object_map: uint8, (64, 64): 0 where the background shows, else 1 + index in `OBJECT_NAMES`.
        items: every placed object, from left to right.
    """

    pixels: Pixels
    object_map: Pixels
    items: tuple[Item, ...]


def is_held_out(name: str, place: str) -> bool:
    """Whether an object-place pair is kept from every training scene of every member of the family."""
    digest = hashlib.sha256(f"{name}|{place}".encode()).digest()
    return digest[0] % HELD_OUT_ONE_IN == 0


def category_of(name: str) -> str:
    return next(category for category, names in OBJECTS.items() if name in names)


def draw_scene(
    rng: np.random.Generator,
    style: Style,
    split: Split = Split.TRAIN,
    category: str | None = None,
    group_weights: tuple[float, ...] | None = None,
) -> PocketScene:
    """Draw one scene.

    Args:
        rng: source of randomness; the same state gives the same scene.
        style: generic scenes hold one or two groups, shifted ones up to three.
        split: see `Split`.
        category: category of the first-drawn group; any when None.
        group_weights: relative frequency of one, two, ... groups; the style's own when None.
    """
    weights = group_weights or ((0.5, 0.5) if style is Style.GENERIC else (0.2, 0.45, 0.35))
    while True:
        scene = _draw_any(rng, category, np.asarray(weights, dtype=np.float64))
        held_out = any(is_held_out(group.name, scene.place) for group in scene.groups)
        if held_out == (split is Split.TEST):
            return scene


def _draw_any(rng: np.random.Generator, category: str | None, weights: NDArray[np.float64]) -> PocketScene:
    group_count = 1 + int(rng.choice(len(weights), p=weights / weights.sum()))
    first = str(rng.choice(OBJECTS[category] if category else OBJECT_NAMES))
    others = [name for name in OBJECT_NAMES if name != first]
    names = [first, *rng.choice(others, size=group_count - 1, replace=False).tolist()]
    rng.shuffle(names)
    counts = [1] * group_count
    spare = int(rng.integers(0, MAX_ITEMS - group_count + 1))
    for _ in range(spare):
        counts[int(rng.integers(group_count))] += 1
    groups = tuple(Group(name, count) for name, count in zip(names, counts, strict=True))
    return PocketScene(str(rng.choice(PLACES)), str(rng.choice(TIMES)), groups)


def render(scene: PocketScene, style: Style, rng: np.random.Generator, degraded: bool = True) -> Rendered:
    """Compose the picture of a scene.

    Args:
        scene: what is shown.
        style: layout and, for shifted pictures, blur, noise and tint.
        rng: draws layout and view; the same state gives the same pixels.
        degraded: False keeps a shifted layout but leaves blur, noise and tint out (studio light).
    """
    shifted = style is Style.SHIFTED
    items = _place_items(scene, shifted, rng)
    canvas = background(scene.place, scene.time, int(rng.integers(PANORAMA_PX - PICTURE_PX)))
    object_map = np.zeros((PICTURE_PX, PICTURE_PX), dtype=np.uint8)
    light = np.asarray(LIGHT[scene.time], dtype=np.float32)
    for item in items:
        _paint_item(canvas, object_map, item, light)
    if shifted and degraded:
        canvas = _degrade(canvas, rng)
    return Rendered(np.clip(canvas, 0, 255).astype(np.uint8), object_map, tuple(items))


def _place_items(scene: PocketScene, shifted: bool, rng: np.random.Generator) -> list[Item]:
    names = [group.name for group in scene.groups for _ in range(group.count)]
    total = len(names)
    slot_px = PICTURE_PX / total
    raised = int(rng.integers(2))
    items = []
    for index, name in enumerate(names):
        scale = rng.uniform(*_SHIFTED_SCALE) if shifted else rng.uniform(0.93, 1.05)
        side = min(_ITEM_PX[total] * scale, 40.0)
        jitter = slot_px * (0.16 if shifted else 0.08)
        x = (index + 0.5) * slot_px + rng.uniform(-jitter, jitter)
        y = _row_height(index, total, raised, shifted, rng)
        rotation = rng.uniform(-_SHIFTED_ROTATION_DEG, _SHIFTED_ROTATION_DEG) if shifted else 0.0
        margin = side * 0.45
        x, y = np.clip((x, y), margin, PICTURE_PX - margin)
        items.append(Item(name, float(x), float(y), side, rotation, bool(shifted and rng.random() < 0.5)))
    return items


def _row_height(index: int, total: int, raised: int, shifted: bool, rng: np.random.Generator) -> float:
    """Neighbours of a crowded picture stand on two rows, so that they do not hide each other."""
    spread = 5.0 if shifted else 2.0
    if total <= 2:
        return 40.0 + float(rng.uniform(-spread, spread))
    row = 27.0 if (index + raised) % 2 else 49.0
    return row + float(rng.uniform(-spread, spread)) * 0.6


def _paint_item(
    canvas: NDArray[np.float32], object_map: Pixels, item: Item, light: NDArray[np.float32]
) -> None:
    sprite = _sprites()[item.name]
    side = max(6, round(item.side_px))
    image = sprite.resize((side, side), Image.Resampling.BOX, reducing_gap=None)
    if item.flipped:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if item.rotation_deg:
        image = image.rotate(item.rotation_deg, Image.Resampling.BILINEAR, expand=True)
    left, top = round(item.x_px - image.width / 2), round(item.y_px - image.height / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + image.width, PICTURE_PX), min(top + image.height, PICTURE_PX)
    rgba = np.asarray(image, dtype=np.float32)[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = rgba[..., 3:] / 255.0
    window = (slice(y0, y1), slice(x0, x1))
    canvas[window] = canvas[window] * (1.0 - alpha) + rgba[..., :3] * (0.35 + 0.65 * light) * alpha
    object_map[window][alpha[..., 0] > 0.5] = 1 + OBJECT_NAMES.index(item.name)


def _degrade(canvas: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blur (up to 1.0 px), tint (up to 15 % a channel), contrast and grain of a snapshot."""
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 1.0)))
    tinted = np.asarray(blurred, dtype=np.float32) * rng.uniform(0.85, 1.15, size=3)
    contrast = tinted.mean() + (tinted - tinted.mean()) * rng.uniform(0.75, 1.1)
    grain = rng.normal(0.0, rng.uniform(0.0, 12.0), size=canvas.shape)
    snapshot: NDArray[np.float32] = (contrast + grain).astype(np.float32)
    return snapshot


@cache
def _sprites() -> dict[str, Image.Image]:
    """Sprites cut from the shipped sheet: one row, `OBJECT_NAMES` in order."""
    data = (files("blip_core.pocket") / "assets" / "objects.png").read_bytes()
    sheet = Image.open(io.BytesIO(data)).convert("RGBA")
    boxes = [(i * SPRITE_PX, 0, (i + 1) * SPRITE_PX, SPRITE_PX) for i in range(len(OBJECT_NAMES))]
    return {name: sheet.crop(box) for name, box in zip(OBJECT_NAMES, boxes, strict=True)}


def sprite(name: str) -> Image.Image:
    """The rendered object of a name: RGBA, (64, 64)."""
    return _sprites()[name].copy()
