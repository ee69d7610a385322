"""Sound rows of the composed pocket world, as many as one asks for: picture, scene, description, question."""

import io

import numpy as np
from PIL import Image

from blip_core.pocket.language import ask_any, describe, tell_scene
from blip_core.pocket.world import Style, category_of, draw_scene, render
from blip_core.records import OPTION_LETTERS, Example


def pocket_row(number: int, seed: int = 0, style: Style = Style.SHIFTED, **changes: object) -> Example:
    """A question with its true answer about a picture of its own; equal numbers give equal rows."""
    rng = np.random.default_rng([seed, number])
    scene = draw_scene(rng, style)
    told = tell_scene(scene, rng)
    asked = ask_any(scene, rng)
    a, b, c, d = asked.options
    category = category_of(scene.groups[0].name)
    name = f"{category}-{number:06d}"
    fields: dict[str, object] = {
        "id": f"{name}-p0-q0",
        "picture_id": f"{name}-p0",
        "group": name,
        "category": category,
        "task": "mcq",
        "image": _png(render(scene, style, rng).pixels),
        "description": describe(scene),
        "question": asked.text,
        "a": a,
        "b": b,
        "c": c,
        "d": d,
        "answer": OPTION_LETTERS[asked.answer],
        "target": asked.options[asked.answer],
        "scene": told,
        "kind": str(asked.kind),
    }
    return Example(**{**fields, **changes})


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
