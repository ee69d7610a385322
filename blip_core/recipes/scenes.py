"""How scenes are written."""

from typing import Annotated

from pydantic import Field

from blip_core.recipes.base import BatchSize, NewTokens, Section, Slug, TopP
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.parts import WriterPart
from blip_core.recipes.server import TextModel


class Category(Section):
    """A kind of scene that is asked for."""

    name: Slug
    """Short name; it starts the ids of the scenes."""
    hint: str = Field(min_length=1)
    """What the language model is told of the category."""


class Scenes(Section):
    """Scene prompts, written by a language model in numbered lists."""

    count: int = Field(default=1218, ge=1, le=1_000_000)
    """Number of scenes to write."""
    per_call: int = Field(default=5, ge=1, le=50)
    """Scenes asked for in one list."""
    categories: tuple[Category, ...] = Field(default=(), strict=False)
    """Categories that lists are drawn for."""
    prompt: str = ""
    """What is asked; {per_call}, {category} and {numbers} are filled in."""
    max_calls_factor: float = Field(default=3.0, ge=1.0, le=100.0)
    """Most lists to ask for, as a multiple of count / per_call."""
    model: TextModel = Checkpoint(id="Qwen/Qwen1.5-1.8B-Chat", dtype="bfloat16")
    """Language model that writes: a checkpoint, or with `url` one behind a server."""
    batch_size: BatchSize = 8
    """Lists written at once."""
    temperature: Annotated[float, Field(gt=0.0, le=2.0)] = 0.9
    """Sampling temperature; at 0 every list of a category would be the same."""
    top_p: TopP = 0.95
    """Probability mass that is sampled from."""
    max_new_tokens: NewTokens = 512
    """Longest list, in tokens."""
    plugin: WriterPart | None = Field(default=None, exclude_if=lambda part: part is None)
    """A writer of an installed package, in place of `model`."""
