"""Which vision-language models are understood, and how each kind of them sees and reads.

All are built of the same parts under the same names: vision tower, query tokens, Q-Former, projection and
language model. Vision features end before the Q-Former whatever the kind. What differs is said here: the
Q-Former of an InstructBLIP reads the instruction beside the picture, through a tokenizer of its own
(Dai et al., arXiv 2305.06500); that of a BLIP-2 sees the picture alone (Li et al., arXiv 2301.12597).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipProcessor,
)

from blip_core.errors import CheckpointError

Family = Literal["t5", "opt", "llama", "mistral", "qwen2", "qwen3"]
"""Language models by `model_type`: a T5 reads with an encoder of its own, all others write on from the last
token that they read."""

FAMILIES: tuple[Family, ...] = get_args(Family)
ENCODER_FAMILY: Family = "t5"
UNSAID_FAMILY = "opt"  # what transformers takes where a config names no language model
QFORMER_TOKENIZER = "qformer_tokenizer"
"""Folder inside a checkpoint, and attribute of its processor, of the tokenizer of the Q-Former."""


class Blip2(Blip2ForConditionalGeneration):
    """BLIP-2 with a float32 Q-Former also under bfloat16; transformers keeps it so under float16 alone."""

    _keep_in_fp32_modules_strict = ("query_tokens", "qformer")


class InstructBlip(InstructBlipForConditionalGeneration):
    """InstructBLIP with a float32 Q-Former, as `Blip2`."""

    _keep_in_fp32_modules_strict = ("query_tokens", "qformer")


@dataclass(frozen=True, slots=True)
class Backbone:
    """A kind of vision-language model.

    Attributes:
        name: `model_type` of its config.
        words: its name, for people.
        architecture: class that its config names.
        config: class of its config.
        model: class that it is loaded by.
        processor: class of its processor.
        reads_instruction: whether its Q-Former reads the words of a prompt beside the picture.
    """

    name: str
    words: str
    architecture: str
    config: Any
    model: Any
    processor: Any
    reads_instruction: bool


_KINDS = (
    Backbone(
        name="blip-2",
        words="BLIP-2",
        architecture=Blip2ForConditionalGeneration.__name__,
        config=Blip2Config,
        model=Blip2,
        processor=Blip2Processor,
        reads_instruction=False,
    ),
    Backbone(
        name="instructblip",
        words="InstructBLIP",
        architecture=InstructBlipForConditionalGeneration.__name__,
        config=InstructBlipConfig,
        model=InstructBlip,
        processor=InstructBlipProcessor,
        reads_instruction=True,
    ),
)

BACKBONES: Mapping[str, Backbone] = {one.name: one for one in _KINDS}


def backbone_of(config: Any) -> Backbone:
    """The kind of a config of transformers."""
    return BACKBONES[config.model_type]


def backbone_in(folder: Path, config: Mapping[str, Any]) -> Backbone:
    """The kind of a checkpoint.

    Args:
        folder: where it lies, for the error's words.
        config: content of its config.json.

    Raises:
        CheckpointError: It is of none of the kinds that are understood.
    """
    named = config.get("architectures") or []
    found = [one for one in BACKBONES.values() if one.architecture in named]
    if not found:
        raise CheckpointError(f"{folder} holds {', '.join(named) or 'no named architecture'}; {understood()}")
    return found[0]


def family_in(folder: Path, config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint's language model; see `backbone_in`.

    Raises:
        CheckpointError: It is of none that is understood.
    """
    name = (config.get("text_config") or {}).get("model_type", UNSAID_FAMILY)
    for family in FAMILIES:
        if family == name:
            return family
    raise CheckpointError(f"{folder} has a {name!r} language model; {understood()}")


def family_of(config: Any) -> Family:
    """The family of the language model in a config of transformers that is understood."""
    family: Family = config.text_config.model_type
    return family


def is_causal(family: Family) -> bool:
    """Whether a language model writes on from what it reads; else it has an encoder that reads."""
    return family != ENCODER_FAMILY


def understood() -> str:
    """What can be loaded, in words that end a sentence."""
    kinds = " and ".join(f"{one.words} ({one.architecture})" for one in BACKBONES.values())
    return f"allowed here: {kinds}, with a language model of {', '.join(FAMILIES[:-1])} or {FAMILIES[-1]}"
