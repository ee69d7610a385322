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
from PIL import Image, ImageDraw, ImageFilter

PICTURE_PX = 64
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
_HORIZON_PX = 30
_PANORAMA_PX = 96  # backgrounds are drawn wider than a picture; a crop gives each scene its view

Pixels = NDArray[np.uint8]

_SKY: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "morning": ((255, 205, 215), (255, 238, 225)),
    "noon": ((70, 150, 240), (190, 225, 255)),
    "sunset": ((110, 55, 120), (255, 130, 50)),
    "night": ((10, 12, 40), (32, 38, 85)),
}
_LIGHT: dict[str, tuple[float, float, float]] = {
    "morning": (1.0, 0.95, 0.93),
    "noon": (1.0, 1.0, 1.0),
    "sunset": (1.0, 0.80, 0.66),
    "night": (0.45, 0.50, 0.74),
}
_GROUND: dict[str, tuple[int, int, int]] = {
    "park": (92, 150, 84),
    "beach": (236, 212, 150),
    "mountains": (236, 240, 250),
    "city": (98, 98, 104),
    "desert": (222, 158, 88),
    "sea": (40, 105, 190),
    "meadow": (104, 190, 62),
    "room": (158, 98, 58),
}


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
    canvas = _background(scene.place, scene.time, int(rng.integers(_PANORAMA_PX - PICTURE_PX)))
    object_map = np.zeros((PICTURE_PX, PICTURE_PX), dtype=np.uint8)
    light = np.asarray(_LIGHT[scene.time], dtype=np.float32)
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


def _background(place: str, time: str, left_px: int) -> NDArray[np.float32]:
    return _panorama(place, time)[:, left_px : left_px + PICTURE_PX].copy()


@cache
def _panorama(place: str, time: str) -> NDArray[np.float32]:
    """Draw a place at four times its size and reduce it, so that edges are smooth."""
    zoom = 4
    width, height = _PANORAMA_PX * zoom, PICTURE_PX * zoom
    horizon = _HORIZON_PX * zoom
    image = Image.fromarray(_sky(time, width, height))
    draw = ImageDraw.Draw(image)
    _draw_sun_or_moon(draw, time, width, horizon)
    lit = tuple(round(channel * light) for channel, light in zip(_GROUND[place], _LIGHT[time], strict=True))
    draw.rectangle((0, horizon, width, height), fill=lit)
    _DETAILS[place](draw, _LIGHT[time], width, height, horizon, time)
    reduced = image.resize((_PANORAMA_PX, PICTURE_PX), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.float32)


def _sky(time: str, width: int, height: int) -> Pixels:
    top, bottom = (np.asarray(color, dtype=np.float32) for color in _SKY[time])
    share = np.linspace(0.0, 1.6, height, dtype=np.float32).clip(0.0, 1.0)[:, None]
    rows = top * (1.0 - share) + bottom * share
    return np.repeat(rows[:, None, :], width, axis=1).astype(np.uint8)


def _draw_sun_or_moon(draw: ImageDraw.ImageDraw, time: str, width: int, horizon: int) -> None:
    if time == "night":
        for index in range(40):  # fixed stars
            x, y = (index * 97) % width, (index * index * 31) % horizon
            draw.rectangle((x, y, x + 2, y + 2), fill=(215, 215, 235))
    color = {"morning": None, "noon": (255, 232, 70), "sunset": (255, 190, 70), "night": (205, 208, 220)}[
        time
    ]
    if color is None:
        return
    y = horizon if time == "sunset" else 22
    for x in (width // 4, 3 * width // 4):  # two, so that every crop shows one
        draw.ellipse((x - 18, y - 18, x + 18, y + 18), fill=color)


Light = tuple[float, float, float]


def _shade(color: tuple[int, int, int], light: Light) -> tuple[int, int, int]:
    red, green, blue = (round(channel * factor) for channel, factor in zip(color, light, strict=True))
    return red, green, blue


def _park(draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str) -> None:
    for x in range(-10, width, 44):
        draw.ellipse((x, horizon - 44, x + 48, horizon + 10), fill=_shade((34, 96, 48), light))
    for x in (width // 4, 3 * width // 4):
        draw.polygon(
            [(x - 14, horizon + 4), (x + 14, horizon + 4), (x + 62, height), (x - 62, height)],
            fill=_shade((205, 186, 150), light),
        )


def _beach(draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str) -> None:
    draw.rectangle((0, horizon - 14, width, horizon + 22), fill=_shade((50, 150, 190), light))
    draw.line((0, horizon + 22, width, horizon + 22), fill=_shade((250, 250, 250), light), width=5)


def _mountains(
    draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str
) -> None:
    for x in range(0, width + 80, 96):
        draw.polygon([(x - 84, horizon), (x, 22), (x + 84, horizon)], fill=_shade((138, 148, 172), light))
        draw.polygon([(x - 30, 56), (x, 22), (x + 30, 56)], fill=_shade((250, 250, 255), light))


def _city(draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str) -> None:
    for index, x in enumerate(range(0, width, 40)):
        top = horizon - 46 - (index * 37) % 44
        color = ((120, 112, 118), (142, 104, 84), (96, 108, 128))[index % 3]
        draw.rectangle((x, top, x + 36, horizon), fill=_shade(color, light))
        window = (255, 226, 120) if time in ("night", "sunset") else _shade((205, 220, 235), light)
        for wx in range(x + 5, x + 30, 11):
            for wy in range(top + 7, horizon - 8, 15):
                draw.rectangle((wx, wy, wx + 5, wy + 7), fill=window)
    for x in range(0, width, 48):
        draw.rectangle((x, horizon + 62, x + 26, horizon + 67), fill=_shade((240, 220, 110), light))


def _desert(
    draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str
) -> None:
    for x in (70, 262):
        draw.polygon(
            [(x - 52, horizon), (x, horizon - 62), (x + 12, horizon)], fill=_shade((206, 138, 76), light)
        )
        draw.polygon(
            [(x, horizon - 62), (x + 12, horizon), (x + 58, horizon)], fill=_shade((150, 94, 52), light)
        )
    for index, y in enumerate(range(horizon + 24, height, 30)):
        shift = 40 * (index % 2)
        for x in range(-shift, width, 120):
            draw.arc((x, y, x + 90, y + 22), 200, 340, fill=_shade((196, 132, 70), light), width=4)


def _sea(draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str) -> None:
    for index, y in enumerate(range(horizon + 14, height, 22)):
        for x in range((index * 31) % 60, width, 72):
            draw.rectangle((x, y, x + 30, y + 3), fill=_shade((140, 190, 240), light))


def _meadow(
    draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str
) -> None:
    for x in range(-60, width, 130):
        draw.ellipse((x, horizon - 26, x + 190, horizon + 60), fill=_shade((104, 190, 62), light))
    for index in range(60):
        x, y = (index * 71) % width, horizon + 20 + (index * index * 29) % (height - horizon - 20)
        color = ((255, 240, 120), (250, 250, 250), (250, 150, 190))[index % 3]
        draw.ellipse((x, y, x + 5, y + 5), fill=_shade(color, light))


def _room(draw: ImageDraw.ImageDraw, light: Light, width: int, height: int, horizon: int, time: str) -> None:
    sky = _SKY[time]
    draw.rectangle((0, 0, width, horizon + 6), fill=_shade((246, 214, 178), light))
    for x in (width // 4, 3 * width // 4):
        draw.rectangle((x - 36, 14, x + 36, 84), fill=_shade((112, 66, 40), light))
        draw.rectangle((x - 30, 20, x + 30, 50), fill=sky[0])
        draw.rectangle((x - 30, 50, x + 30, 78), fill=sky[1])
        draw.rectangle((x - 2, 20, x + 2, 78), fill=_shade((112, 66, 40), light))
    for y in range(horizon + 30, height, 26):
        draw.line((0, y, width, y), fill=_shade((118, 70, 40), light), width=3)


_DETAILS = {
    "park": _park,
    "beach": _beach,
    "mountains": _mountains,
    "city": _city,
    "desert": _desert,
    "sea": _sea,
    "meadow": _meadow,
    "room": _room,
}
