"""What is tuned, and how."""

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import BatchSize, Quantisation, Section, Share
from blip_core.recipes.checkpoint import Checkpoint

AdapterPreset = Literal[
    "qformer",
    "qformer-attention",
    "language-attention",
    "language-attention-qk",
    "projection",
    "projection-queries",
    "language-model",
]
Learning = Literal["as-kind", "target", "whole"]
FullPart = Literal["language_projection", "query_tokens", "language_model"]

# The sizes that the source documents give to adapters on a language model's attention.
_LANGUAGE_SIZE: Mapping[str, float] = {"r": 16, "alpha": 32.0, "dropout": 0.05}
_PRESET_SIZES: Mapping[str, Mapping[str, float]] = {
    "language-attention": _LANGUAGE_SIZE,
    "language-attention-qk": _LANGUAGE_SIZE,
}

_PRESETS_IN_FULL: Mapping[str, tuple[FullPart, ...]] = {
    "projection": ("language_projection",),
    "projection-queries": ("language_projection", "query_tokens"),
    "language-model": ("language_model",),
}


class Adapter(Section):
    """What is trained: LoRA on modules named by a preset or by a pattern, and small parts in full."""

    preset: AdapterPreset | None = None
    """Modules by name, with a fitting size; docs/how-to/adapters.md says what each sits on."""
    pattern: str | None = None
    """Modules by regular expression, matched against full module names."""
    full: tuple[FullPart, ...] = Field(default=(), strict=False)
    """Parts that are trained in full beside the LoRA modules."""
    r: int = Field(default=32, ge=1, le=1024)
    """Rank of the update; by default 32, and 16 on the language model's attention."""
    alpha: float = Field(default=64.0, gt=0.0, le=4096.0)
    """Scale of the update, which is multiplied by alpha / r; by default twice the default rank."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of inputs dropped before the update while training."""

    @model_validator(mode="before")
    @classmethod
    def _size_of_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {**_PRESET_SIZES.get(str(value.get("preset")), {}), **value}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.preset is None) == (self.pattern is None):
            raise ValueError("needs exactly one of preset and pattern")
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern is not a regular expression: {error}") from error
        return self

    @property
    def in_full(self) -> tuple[FullPart, ...]:
        """Parts that are trained in full, by preset and by `full`, each once."""
        return tuple(dict.fromkeys(_PRESETS_IN_FULL.get(str(self.preset), ()) + self.full))

    @property
    def replaces_language_model(self) -> bool:
        """Whether every weight of the language model is trained."""
        return "language_model" in self.in_full


class Finetune(Section):
    """LoRA on BLIP-2, its language model quantised or not."""

    base: Checkpoint = Checkpoint(id="Salesforce/blip2-flan-t5-xl", dtype="bfloat16")
    """BLIP-2 or InstructBLIP that is tuned; variants of the role base are this model."""
    adapter: Adapter = Adapter(preset="qformer")
    """What the adapter sits on, and its size."""
    quantisation: Quantisation = "nf4"
    """Precision of the language model alone while training; all else stays whole."""
    learning_rate: float = Field(default=5e-4, gt=0.0, le=1.0)
    """Highest learning rate."""
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", exclude_if=lambda schedule: schedule == "cosine"
    )
    """After warming up the learning rate falls to zero, or stays."""
    keep: Literal["best", "last"] = Field(default="best", exclude_if=lambda keep: keep == "best")
    """Which adapter is saved: that of the lowest validation loss, or that of the last step."""
    epochs: float = Field(default=3.0, gt=0.0, le=1000.0)
    """Times each row is seen."""
    batch_size: BatchSize = 16
    """Rows in one step."""
    micro_batch_size: int = Field(default=0, ge=0, le=4096)
    """Rows in one pass through the model; 0 starts with batch_size and halves it where memory runs out."""
    gradient_checkpointing: bool = False
    """Whether activations are computed twice instead of kept: less memory, more time."""
    features: Literal["cached", "fresh"] = "cached"
    """What the vision tower makes of a picture: kept for all epochs and runs, or made for every batch."""
    augmentation: Literal["none", "colour"] = "none"
    """Change of pictures while training: brightness, contrast and saturation; needs fresh features."""
    warmup_share: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the steps in which the learning rate rises."""
    max_grad_norm: float = Field(default=1.0, gt=0.0, le=1000.0)
    """Gradients are scaled down to this norm."""
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0)
    """Decoupled weight decay of the adapter."""
    describe_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of training rows that teach stage one (describing); the rest teach answering."""
    own_description_share: Share = 0.0
    """Share of answering rows that read a description by the model begun with, not the labeller's."""
    references: Literal["first", "each"] = Field(default="first", exclude_if=lambda told: told == "first")
    """Of a row with several right texts: the one most people gave is learnt, or each as a row of its own."""
    learn: Learning = Field(default="as-kind", exclude_if=lambda learn: learn == "as-kind")
    """Of prompt and answer that are read as one text: the answer alone or both; by default by task."""
    wordings: tuple[str, ...] = Field(default=(), strict=False, exclude_if=lambda given: not given)
    """Wordings of the answering prompt, one drawn for each row and epoch; empty, that of `inference`."""
    max_text_tokens: int = Field(default=256, ge=8, le=4096)
    """Longest prompt, in tokens, not counting the picture."""
    eval_every_steps: int = Field(default=50, ge=1, le=1_000_000)
    """Steps between two looks at the validation loss."""
    patience: int = Field(default=0, ge=0, le=10_000)
    """Training stops early after so many looks at the validation loss without a better one; 0 never does."""
    save_every_steps: int = Field(default=50, ge=1, le=1_000_000)
    """Steps between two checkpoints, from which a killed run goes on."""
    save_every_seconds: int = Field(default=60, ge=1, le=86_400, exclude_if=lambda seconds: seconds == 60)
    """Longest time between two checkpoints, however few steps; more where saving would take a tenth of it."""
    bad_steps: int = Field(default=3, ge=0, le=1000)
    """Steps that may be skipped because their loss is no number; one more stops the run."""
    sample_rows: int = Field(default=4, ge=0, le=64)
    """Validation rows that are answered before the first step and after every epoch, for people to watch."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base.dtype == "float16":
            raise ValueError(
                "base.dtype is float16, in which the T5 overflows and small gradients vanish; "
                "use bfloat16 or float32"
            )
        if self.adapter.replaces_language_model and self.base.dtype != "float32":
            raise ValueError(
                f"adapter trains language_model in full and base.dtype is {self.base.dtype}, which does not "
                "hold small updates; set base.dtype to float32, or put LoRA on the language model"
            )
        if self.keep == "last" and self.patience:
            raise ValueError(
                f"keep is last and patience is {self.patience}: who stops early keeps the best; set keep to "
                "best, or patience to 0"
            )
        if self.augmentation != "none" and self.features == "cached":
            raise ValueError(
                f"augmentation is {self.augmentation} and features is cached: kept features are those of the "
                "unchanged picture; set features to fresh, or augmentation to none"
            )
        if self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"micro_batch_size is {self.micro_batch_size} and batch_size is {self.batch_size}: a pass "
                "cannot hold more rows than a step; lower it, or set it to 0"
            )
        return self
