"""Rows that come one by one, each about a picture of its own, and the memory that answering them takes."""

import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psutil
from PIL import Image

from blip_core.records import Example
from tests.tiny_blip2 import make_example

MIB = 2**20


def stream_rows(count: int, picture_px: int) -> Iterator[Example]:
    """So many questions about pictures of noise, made as they are asked for."""
    rng = np.random.default_rng(0)
    for index in range(count):
        picture = noise(rng, picture_px)
        yield replace(make_example(index, picture, rng), id=f"row-{index:06}", picture_id=f"row-{index:06}")


def noise(rng: np.random.Generator, picture_px: int) -> bytes:
    pixels = rng.integers(0, 256, size=(picture_px, picture_px, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()


def resident_mib() -> float:
    return float(psutil.Process().memory_info().rss / MIB)


class MemoryOverRows:
    """Passes rows on and notes the resident memory after every so many."""

    def __init__(self, rows: Iterator[Example], every: int) -> None:
        self._rows = rows
        self._every = every
        self.noted: list[float] = []

    def __iter__(self) -> Iterator[Example]:
        for index, row in enumerate(self._rows):
            if index and index % self._every == 0:
                self.noted.append(resident_mib())
            yield row

    @property
    def growth_mib(self) -> float:
        """Most memory that was taken beyond what the first part of the rows took."""
        return max(self.noted) - self.noted[0]
