"""Pictures composed from the pocket world, behind the port of a painter."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from blip_core.errors import StageFailure
from blip_core.pocket.language import read_scene
from blip_core.pocket.world import Style, draw_scene, render
from blip_core.ports import NoPicture


class Composer:
    """Composes each scene that its prompt tells; where a prompt tells no pocket scene, one is drawn by seed.

    Args:
        style: how scenes are photographed.
    """

    def __init__(self, style: str) -> None:
        self._style = Style(style)
        self._is_closed = False

    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | NoPicture]:
        """Compose each prompt under its own seed; see `Painter`."""
        if self._is_closed:
            raise StageFailure("Composer was closed and takes no more work.")
        return [self._compose(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def close(self) -> None:
        """Refuse further work."""
        self._is_closed = True

    def _compose(self, prompt: str, seed: int) -> Image.Image:
        rng = np.random.default_rng(seed)
        scene = read_scene(prompt) or draw_scene(rng, self._style)
        return Image.fromarray(render(scene, self._style, rng).pixels)
