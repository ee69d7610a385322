"""How pictures are labelled."""

from pydantic import Field

from blip_core.recipes.base import BatchSize, NewTokens, Section, Temperature, TopP
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.parts import LabellerPart
from blip_core.recipes.server import TextModel


class Labels(Section):
    """A description and a question for each picture, by a vision-language model."""

    prompt: str = ""
    """What is asked of each picture; <image> marks where the picture stands."""
    per_picture: int = Field(default=1, ge=1, le=32)
    """Labels asked for per picture."""
    retries: int = Field(default=2, ge=0, le=10)
    """Further attempts where a label cannot be read."""
    temperature: Temperature = 0.7
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: TopP = 0.95
    """Probability mass that is sampled from."""
    max_new_tokens: NewTokens = 320
    """Longest label, in tokens."""
    batch_size: BatchSize = 8
    """Pictures labelled at once."""
    model: TextModel = Checkpoint(id="llava-hf/llava-1.5-7b-hf", dtype="float16")
    """Vision-language model that labels: a checkpoint, or with `url` one behind a server."""
    plugin: LabellerPart | None = Field(default=None, exclude_if=lambda part: part is None)
    """A labeller of an installed package, in place of `model`."""
