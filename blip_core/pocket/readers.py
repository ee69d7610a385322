"""An independent reader of pocket pictures: the instrument that measures painters and autoencoders.

A small convolutional network that was trained on composed pictures alone names the object of every
4 x 4 cell, and the place and the time of the whole. It belongs to no model of the family.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from blip_core.pocket.backgrounds import PICTURE_PX
from blip_core.pocket.precision import fast_precision
from blip_core.pocket.world import OBJECT_NAMES, PLACES, TIMES, PocketScene, Split, Style, draw_scene, render

CELL_PX = 4
_MIN_CELLS = 3  # cells of one object that make it seen: fewer are what is left at an edge
_DEGRADED_SHARE = 0.5
_GENERIC_SHARE = 0.2


class Reader(nn.Module):
    """Names objects cell by cell, and place and time."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, 24, 1), _convolution(24, 48, 2), _convolution(48, 96, 2), _convolution(96, 96, 1)
        )
        self.wide = nn.Sequential(_convolution(96, 128, 2), _convolution(128, 128, 1))
        self.cells = nn.Sequential(_convolution(96 + 128, 96, 1), nn.Conv2d(96, len(OBJECT_NAMES) + 1, 1))
        self.place = nn.Linear(128, len(PLACES))
        self.time = nn.Linear(128, len(TIMES))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures in -1..1, (n, 3, 64, 64), to logits: cells (n, 33, 16, 16), place (n, 8), time (n, 4)."""
        near = self.stem(pictures)
        wide = self.wide(near)
        cells = self.cells(torch.cat([near, functional.interpolate(wide, scale_factor=2)], dim=1))
        pooled = wide.mean(dim=(2, 3))
        return cells, self.place(pooled), self.time(pooled)


@dataclass(frozen=True)
class ReaderPart:
    """Reader training: composed pictures, shifted and generic, degraded and not, by their truth."""

    module: Reader
    batch: int = 32

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        pictures, maps, places, times = reader_batch(self.batch, rng)
        with fast_precision():
            cells, place, time = self.module(pictures)
        naming = functional.cross_entropy(cells.float(), maps)
        loss = (
            4.0 * naming
            + functional.cross_entropy(place.float(), places)
            + functional.cross_entropy(time.float(), times)
        )
        shown = maps > 0
        right = (cells.argmax(1)[shown] == maps[shown]).float().mean()
        return loss, {
            "cell_accuracy": float(right),
            "place_accuracy": float((place.argmax(1) == places).float().mean()),
        }


def reader_batch(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Render pictures with their truth: pictures, object maps (n, 16, 16), places (n,), times (n,)."""
    pixels, maps, scenes = [], [], []
    for _ in range(count):
        style = Style.GENERIC if rng.random() < _GENERIC_SHARE else Style.SHIFTED
        scene = draw_scene(rng, style, Split.TRAIN)
        rendered = render(scene, style, rng, degraded=bool(rng.random() < _DEGRADED_SHARE))
        pixels.append(rendered.pixels)
        maps.append(rendered.object_map[CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX])
        scenes.append(scene)
    return (
        _to_tensor(np.stack(pixels)),
        torch.from_numpy(np.stack(maps).astype(np.int64)),
        torch.tensor([PLACES.index(scene.place) for scene in scenes]),
        torch.tensor([TIMES.index(scene.time) for scene in scenes]),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """How well pictures show what they should; shares of pictures, or of their groups, in 0..1.

    Attributes:
        place, time: the reader's first guess is right.
        object: groups whose object the reader sees in at least three cells.
        asked: groups whose object has more cells than any of three absent objects drawn at random,
            as a four-option question asks; ties count as wrong.
        count: groups that the reader sees as so many separate patches as they have members; items that
            touch count as one, so that composed pictures do not reach 1.
        stray: pictures in which an object is seen that was not asked for.
    """

    place: float
    time: float
    object: float
    asked: float
    count: float
    stray: float


@torch.no_grad()
def read_pictures(
    reader: Reader, pixels: NDArray[np.uint8], scenes: list[PocketScene], seed: int = 0, batch: int = 64
) -> Reading:
    """Measure how recognisable pictures are.

    Args:
        reader: a trained reader.
        pixels: uint8, (n, 64, 64, 3).
        scenes: what each should show.
        seed: draws the absent objects.
        batch: pictures at a time.
    """
    reader.eval()
    rng = np.random.default_rng(seed)
    place, time, seen, asked, counted, stray = [], [], [], [], [], []
    for start in range(0, len(scenes), batch):
        cells, places, times = reader(_to_tensor(pixels[start : start + batch]))
        named = cells.argmax(1)
        counts = functional.one_hot(named.flatten(1), len(OBJECT_NAMES) + 1).sum(1)[:, 1:].numpy()
        for row, scene in enumerate(scenes[start : start + batch]):
            place.append(PLACES[int(places[row].argmax())] == scene.place)
            time.append(TIMES[int(times[row].argmax())] == scene.time)
            wanted = {OBJECT_NAMES.index(group.name) for group in scene.groups}
            absent = [index for index in range(len(OBJECT_NAMES)) if index not in wanted]
            stray.append(bool((counts[row][absent] >= 2 * _MIN_CELLS).any()))
            for group in scene.groups:
                index = OBJECT_NAMES.index(group.name)
                counted.append(_patches(named[row].numpy() == index + 1) == group.count)
                distractors = rng.choice(absent, size=3, replace=False)
                seen.append(counts[row][index] >= _MIN_CELLS)
                asked.append(counts[row][index] > counts[row][distractors].max())
    means = (float(np.mean(values)) for values in (place, time, seen, asked, counted, stray))
    return Reading(*means)


def _patches(mask: NDArray[np.bool_]) -> int:
    """Connected patches of at least `_MIN_CELLS` cells."""
    labels, found = ndimage.label(mask)
    return sum(int((labels == index).sum()) >= _MIN_CELLS for index in range(1, found + 1))


def _to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    if pixels.shape[1:] != (PICTURE_PX, PICTURE_PX, 3):
        raise ValueError(f"pictures must be (n, {PICTURE_PX}, {PICTURE_PX}, 3), not {pixels.shape}")
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU(inplace=True)
    )
