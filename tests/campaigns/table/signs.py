"""A table as a stranger would hand it in: drawn road signs, their own questions and words, odd column names.

Nothing in it belongs to the pocket world: no object, place or time of day of it, no question it asks, and
pictures of another size. Each sign is asked about once: which shape it has, which way its arrow points, or
which colour its border has.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

COLUMNS = ("sign_no", "photo_file", "query", "choice_1", "choice_2", "choice_3", "choice_4", "correct")
LETTERS = "ABCD"
SHAPES = ("circle", "triangle", "square", "diamond")
ARROWS = {"right": 0, "down": 90, "left": 180, "up": 270}
BORDERS = {"red": (200, 30, 35), "blue": (30, 70, 190), "green": (25, 130, 60), "black": (25, 25, 25)}
QUERIES = {
    "shape": "Which shape is on the sign?",
    "arrow": "Which way does the arrow point?",
    "border": "What colour is the border?",
}
WORDS = {"shape": SHAPES, "arrow": tuple(ARROWS), "border": tuple(BORDERS)}
_PLATES = ((250, 250, 245), (250, 225, 120), (235, 240, 250))
_SMALLEST_PX, _LARGEST_PX = 96, 160
_SMOOTHING = 2  # drawn larger, then scaled down

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Sign:
    """One sign: what is asked about, by the words of `WORDS`."""

    shape: str
    arrow: str
    border: str


def write_table(folder: Path, rows: int, seed: int) -> Path:
    """Write `signs.csv` and a folder `photos` of so many signs; the same seed gives the same bytes.

    Shapes, directions, colours and questions are drawn evenly, options in a random order.
    """
    photos = folder / "photos"
    photos.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    lines = [_row(photos, number, rng) for number in range(rows)]
    path = folder / "signs.csv"
    _write_rows(path, lines)
    return path


def split_table(path: Path, learnt: int) -> tuple[Path, Path]:
    """Write the first rows of a table to `learn.csv` beside it, and the others to `judge.csv`.

    Each question to learn stands there four times, its options turned on by one place each time: a letter
    by heart is of no use then, and the picture has to be looked at.
    """
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    learn, judge = path.with_name("learn.csv"), path.with_name("judge.csv")
    _write_rows(learn, [_turned_row(row, turn) for row in rows[:learnt] for turn in range(len(LETTERS))])
    _write_rows(judge, rows[learnt:])
    return learn, judge


def _turned_row(row: Sequence[str], turn: int) -> list[str]:
    number, name, query, *options, letter = row
    right = LETTERS[(LETTERS.index(letter) - turn) % len(LETTERS)]
    return [f"{number}-{turn}", name, query, *options[turn:], *options[:turn], right]


def _write_rows(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _row(photos: Path, number: int, rng: np.random.Generator) -> list[str]:
    sign = Sign(*(str(rng.choice(WORDS[kind])) for kind in ("shape", "arrow", "border")))
    name = f"sign_{number:03}.{('png', 'jpg')[number % 2]}"
    draw_sign(sign, rng).save(photos / name)
    kind = list(QUERIES)[number % len(QUERIES)]
    options = [str(word) for word in rng.permutation(WORDS[kind])]
    return [f"S-{number:03}", name, QUERIES[kind], *options, LETTERS[options.index(getattr(sign, kind))]]


def draw_sign(sign: Sign, rng: np.random.Generator) -> Image.Image:
    """A sign on its post before a plain sky and ground; 96 to 160 px wide and high."""
    side = int(rng.integers(_SMALLEST_PX, _LARGEST_PX + 1))
    size = side * _SMOOTHING
    image = Image.new("RGB", (size, size), _tint(rng, (165, 195, 225)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size * rng.uniform(0.75, 0.9), size, size), fill=_tint(rng, (110, 125, 90)))
    centre = (size * rng.uniform(0.48, 0.52), size * rng.uniform(0.45, 0.49))
    radius = size * rng.uniform(0.37, 0.42)
    post = size * 0.02
    draw.rectangle((centre[0] - post, centre[1], centre[0] + post, size), fill=(120, 120, 125))
    plate = _PLATES[int(rng.integers(len(_PLATES)))]
    _draw_plate(draw, sign, centre, radius, _tint(rng, BORDERS[sign.border], 15), plate)
    _draw_arrow(draw, math.radians(ARROWS[sign.arrow]), centre, radius * 0.5)
    image = image.rotate(
        float(rng.uniform(-6, 6)), Image.Resampling.BILINEAR, fillcolor=image.getpixel((0, 0))
    )
    small = image.resize((side, side), Image.Resampling.LANCZOS)
    return small.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.8))))


def _draw_plate(
    draw: ImageDraw.ImageDraw, sign: Sign, centre: Point, radius: float, border: Colour, plate: Colour
) -> None:
    for share, colour in ((1.0, border), (0.74, plate)):
        outer = radius * share
        if sign.shape == "circle":
            draw.circle(centre, outer, fill=colour)
        else:
            draw.polygon(_corners(sign.shape, centre, outer), fill=colour)


def _corners(shape: str, centre: Point, radius: float) -> list[Point]:
    """Corners of a sign about as large as a circle; a triangle and a square stand on a side."""
    count, reach, start = {
        "triangle": (3, 1.25, -math.pi / 2),
        "square": (4, 1.2, math.pi / 4),
        "diamond": (4, 1.15, 0.0),
    }[shape]
    turns = [start + 2 * math.pi * corner / count for corner in range(count)]
    return [
        (centre[0] + radius * reach * math.cos(turn), centre[1] + radius * reach * math.sin(turn))
        for turn in turns
    ]


def _draw_arrow(draw: ImageDraw.ImageDraw, turn: float, centre: Point, length: float) -> None:
    outline = [(-1, -0.2), (0, -0.2), (0, -0.8), (1, 0), (0, 0.8), (0, 0.2), (-1, 0.2)]
    draw.polygon([_turned(x * length, y * length, turn, centre) for x, y in outline], fill=(20, 20, 20))


def _turned(x: float, y: float, turn: float, centre: Point) -> Point:
    cos, sin = math.cos(turn), math.sin(turn)
    return centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos


def _tint(rng: np.random.Generator, colour: Sequence[int], by: int = 25) -> Colour:
    red, green, blue = (int(np.clip(value + rng.integers(-by, by + 1), 0, 255)) for value in colour)
    return red, green, blue
