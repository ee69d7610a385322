"""Backgrounds of the pocket world: eight places at four times of day."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

PICTURE_PX = 64
_HORIZON_PX = 30
PANORAMA_PX = 96  # backgrounds are drawn wider than a picture; a crop gives each scene its view
Pixels = NDArray[np.uint8]
_SKY: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "morning": ((255, 205, 215), (255, 238, 225)),
    "noon": ((70, 150, 240), (190, 225, 255)),
    "sunset": ((110, 55, 120), (255, 130, 50)),
    "night": ((10, 12, 40), (32, 38, 85)),
}
LIGHT: dict[str, tuple[float, float, float]] = {
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


def background(place: str, time: str, left_px: int) -> NDArray[np.float32]:
    """What a picture shows behind its objects, from a column of the panorama on: (H, W, 3)."""
    return _panorama(place, time)[:, left_px : left_px + PICTURE_PX].copy()


@cache
def _panorama(place: str, time: str) -> NDArray[np.float32]:
    """Draw a place at four times its size and reduce it, so that edges are smooth."""
    zoom = 4
    width, height = PANORAMA_PX * zoom, PICTURE_PX * zoom
    horizon = _HORIZON_PX * zoom
    image = Image.fromarray(_sky(time, width, height))
    draw = ImageDraw.Draw(image)
    _draw_sun_or_moon(draw, time, width, horizon)
    lit = tuple(round(channel * light) for channel, light in zip(_GROUND[place], LIGHT[time], strict=True))
    draw.rectangle((0, horizon, width, height), fill=lit)
    _DETAILS[place](draw, LIGHT[time], width, height, horizon, time)
    reduced = image.resize((PANORAMA_PX, PICTURE_PX), Image.Resampling.BOX)
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
