"""How pictures are painted."""

from typing import Annotated

from pydantic import Field

from blip_core.recipes.base import BatchSize, Section
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.parts import PainterPart

Side = Annotated[int, Field(ge=32, le=2048, multiple_of=8)]


class Pictures(Section):
    """One picture a scene, painted by a diffusion model.

    The default of 512 x 512 is what Stable Diffusion 1.x paints best; the models behind it look at
    336 (LLaVA) and 224 (BLIP-2) pixels a side, so that more would cost time and show nothing.
    """

    prompt: str = "{scene}"
    """What is painted; {scene} is filled in."""
    negative_prompt: str = ""
    """What the picture is guided away from."""
    width_px: Side = 512
    """Width in pixels; diffusion models work in blocks of 8."""
    height_px: Side = 512
    """Height in pixels."""
    steps: int = Field(default=30, ge=1, le=1000)
    """Denoising steps."""
    guidance_scale: float = Field(default=7.5, ge=0.0, le=50.0)
    """Strength of classifier-free guidance; 1 or less switches it off."""
    batch_size: BatchSize = 4
    """Pictures painted at once."""
    model: Checkpoint = Checkpoint(id="dreamlike-art/dreamlike-photoreal-2.0", dtype="float16")
    """Stable Diffusion pipeline that paints."""
    plugin: PainterPart | None = Field(default=None, exclude_if=lambda part: part is None)
    """A painter of an installed package, in place of `model`."""
