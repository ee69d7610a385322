"""How pictures are painted."""

from typing import Annotated, Literal

from pydantic import Field

from blip_core.recipes.base import BatchSize, Quantisation, Section
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.parts import PainterPart

Side = Annotated[int, Field(ge=32, le=2048, multiple_of=8)]
Scheduler = Literal[
    "ddim", "ddpm", "pndm", "euler", "euler-ancestral", "heun", "dpm-solver", "unipc", "lcm", "tcd"
]
Spacing = Literal["leading", "linspace", "trailing"]
Offload = Literal["none", "model", "sequential"]


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
    """Width in pixels; diffusion models work in blocks of 8, some of 16 or 32."""
    height_px: Side = 512
    """Height in pixels."""
    steps: int = Field(default=30, ge=1, le=1000)
    """Denoising steps; models made for few steps want 1 to 8."""
    guidance_scale: float = Field(default=7.5, ge=0.0, le=50.0)
    """Strength of guidance by the prompt; 1 or less switches classifier-free guidance off."""
    batch_size: BatchSize = 4
    """Pictures painted at once."""
    model: Checkpoint = Checkpoint(id="dreamlike-art/dreamlike-photoreal-2.0", dtype="float16")
    """Text-to-image pipeline that paints."""
    plugin: PainterPart | None = Field(default=None, exclude_if=lambda part: part is None)
    """A painter of an installed package, in place of `model`."""
    scheduler: Scheduler | None = Field(default=None, exclude_if=lambda name: name is None)
    """How noise is taken away; absent, by the checkpoint's own scheduler."""
    timestep_spacing: Spacing | None = Field(default=None, exclude_if=lambda name: name is None)
    """How the steps are spread; absent, as the checkpoint has it; few-step models mostly want trailing."""
    prompt_tokens: int | None = Field(default=None, ge=1, le=4096, exclude_if=lambda count: count is None)
    """Most tokens of a prompt that are read, where a pipeline lets one say; absent, as it has it."""
    quantisation: Quantisation = Field(default="none", exclude_if=lambda name: name == "none")
    """How the weights of the denoiser's blocks are held: none, int8 or nf4."""
    offload: Offload = Field(default="none", exclude_if=lambda name: name == "none")
    """Parts that wait in this machine's memory for their turn on the GPU: none, whole models or layers."""
    attention_slicing: bool = Field(default=False, exclude_if=lambda is_on: not is_on)
    """Whether attention is computed head by head; slower, and takes less memory."""
    vae_slicing: bool = Field(default=False, exclude_if=lambda is_on: not is_on)
    """Whether pictures are decoded one by one."""
    vae_tiling: bool = Field(default=False, exclude_if=lambda is_on: not is_on)
    """Whether large pictures are decoded tile by tile; seams are blended, so that pixels change a little."""
