"""Tuning as the source documents do it, kept as the truth that our tuning is held against.

Three rows at a time, through the public interfaces of transformers and peft alone: the processor builds the
prompts, and every epoch decodes every picture anew and sends it through the whole model. What the sources got
wrong is right here (pads are no labels, the prompt is no target), for else there would be nothing to compare.
T5 only.
"""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import get_cosine_schedule_with_warmup

BATCH_SIZE = 3
_IGNORED = -100


@dataclass(frozen=True, slots=True)
class TextRow:
    """What a batch of the sources is made of: an encoded picture and two texts."""

    picture: bytes
    prompt: str
    target: str


@dataclass(frozen=True, slots=True)
class OracleSettings:
    """What the sources write into their notebooks; warm-up in steps."""

    r: int
    alpha: float
    dropout: float
    learning_rate: float
    warmup_steps: int
    max_grad_norm: float
    seed: int
    target_modules: str = r"qformer\..*\.(query|key|value|dense)"


def tune_through_pixels(
    model: Any,
    processor: Any,
    batches: Sequence[Sequence[TextRow]],
    settings: OracleSettings,
    on_step: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Tune a BLIP-2 T5 in place, batch by batch, and return the loss of each step.

    The loss is the mean of the rows' means, as in our tuning; the sources take the mean of all tokens.
    """
    torch.manual_seed(settings.seed)
    tuned = _with_adapter(model, settings)
    weights = [weight for weight in tuned.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    schedule = get_cosine_schedule_with_warmup(optimiser, settings.warmup_steps, len(batches))
    tuned.train()
    losses = []
    for step, rows in enumerate(batches, start=1):
        loss = _loss(tuned, collate(model, processor, rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        on_step(step)
    return losses


def _with_adapter(model: Any, settings: OracleSettings) -> Any:
    lora = LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules,
        task_type="SEQ_2_SEQ_LM",
    )
    with warnings.catch_warnings():  # PEFT reads an attribute that transformers renamed
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return get_peft_model(model, lora)


def collate(model: Any, processor: Any, rows: Sequence[TextRow]) -> dict[str, Tensor]:
    """Pictures and prompts as the processor writes them, padded on the right; pads are no labels."""
    pictures = [Image.open(io.BytesIO(row.picture)).convert("RGB") for row in rows]
    inputs = processor(images=pictures, text=[row.prompt for row in rows], padding=True, return_tensors="pt")
    targets = processor.tokenizer([row.target for row in rows], padding=True, return_tensors="pt")
    labels = targets["input_ids"].masked_fill(targets["attention_mask"] == 0, _IGNORED)
    pixels = inputs["pixel_values"].to(model.vision_model.dtype)
    batch = {
        "pixel_values": pixels,
        "input_ids": inputs["input_ids"],
        "attention_mask": inputs["attention_mask"],
        "labels": labels,
    }
    return {name: value.to(model.query_tokens.device) for name, value in batch.items()}


def _loss(tuned: Any, batch: dict[str, Tensor]) -> Tensor:
    logits, labels = tuned(**batch).logits.float(), batch["labels"]
    losses = cross_entropy(logits.transpose(1, 2), labels, ignore_index=_IGNORED, reduction="none")
    return (losses.sum(dim=1) / (labels != _IGNORED).sum(dim=1)).mean()
