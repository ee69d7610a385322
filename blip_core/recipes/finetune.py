"""What is tuned, and how."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import BatchSize, Quantisation, Section, Share
from blip_core.recipes.checkpoint import Checkpoint

AdapterPreset = Literal["qformer", "qformer-attention", "language-attention", "projection"]


class Adapter(Section):
    """A LoRA adapter and the modules it sits on, named by a preset or by a pattern."""

    preset: AdapterPreset | None = None
    """Modules by name: the Q-Former, its attention, the language model's attention, the projection."""
    pattern: str | None = None
    """Modules by regular expression, matched against full module names."""
    r: int = Field(default=32, ge=1, le=1024)
    """Rank of the update."""
    alpha: float = Field(default=64.0, gt=0.0, le=4096.0)
    """Scale of the update; it is multiplied by alpha / r."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of inputs dropped before the update while training."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.preset is None) == (self.pattern is None):
            raise ValueError("needs exactly one of preset and pattern")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        return self


class Finetune(Section):
    """LoRA on BLIP-2, its language model quantised or not."""

    base: Checkpoint = Checkpoint(id="Salesforce/blip2-flan-t5-xl", dtype="bfloat16")
    """BLIP-2 that is tuned; variants of the role base are this model."""
    adapter: Adapter = Adapter(preset="qformer")
    """What the adapter sits on, and its size."""
    quantisation: Quantisation = "nf4"
    """Precision of the language model alone while training; all else stays whole."""
    learning_rate: float = Field(default=5e-4, gt=0.0, le=1.0)
    """Highest learning rate; it warms up and then falls to zero."""
    epochs: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Times each row is seen."""
    batch_size: BatchSize = 16
    """Rows in one step."""
    warmup_share: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the steps in which the learning rate rises."""
    max_grad_norm: float = Field(default=1.0, gt=0.0, le=1000.0)
    """Gradients are scaled down to this norm."""
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0)
    """Decoupled weight decay of the adapter."""
    describe_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of training rows that teach stage one (describing); the rest teach answering."""
    own_description_share: Share = 0.0
    """Share of answering rows that read the base's own description instead of the labeller's."""
    max_text_tokens: int = Field(default=256, ge=8, le=4096)
    """Longest prompt, in tokens, not counting the picture."""
    eval_every_steps: int = Field(default=50, ge=1, le=1_000_000)
    """Steps between two looks at the validation loss."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base.dtype == "float16":
            raise ValueError(
                "base.dtype is float16, in which the T5 overflows and small gradients vanish; "
                "use bfloat16 or float32"
            )
        return self
