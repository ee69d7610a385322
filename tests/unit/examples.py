"""Examples for tests: pictures of the pocket world, or flat ones where pictures do not matter."""

import io

import numpy as np
from PIL import Image

from blip_core.pocket.world import Style, draw_scene, render
from blip_core.records import Example


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def world_pixels(seed: int) -> np.ndarray:
    """uint8, (64, 64, 3)."""
    rng = np.random.default_rng(seed)
    return render(draw_scene(rng, Style.GENERIC), Style.GENERIC, rng).pixels


def example(number: int, **changes: object) -> Example:
    """A four-option example; its picture is flat unless one is given."""
    name = f"nature-{number:05d}"
    fields: dict[str, object] = {
        "id": f"{name}-p0-q0",
        "picture_id": f"{name}-p0",
        "group": name,
        "category": "nature",
        "task": "mcq",
        "image": b"",
        "description": "a frog in the park at noon",
        "question": f"What stands in picture {number}?",
        "a": "a frog",
        "b": "a bus",
        "c": "a kite",
        "d": "a cake",
        "answer": "ABCD"[number % 4],
        "target": ("a frog", "a bus", "a kite", "a cake")[number % 4],
        "scene": "a frog in the park",
    }
    return Example(**{**fields, **changes})
