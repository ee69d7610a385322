"""What the pocket LLaVA wrote: read, and compared with what the pictures show."""

from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from blip_core.pocket.backgrounds import Pixels
from blip_core.pocket.blip2 import Shot
from blip_core.pocket.language import (
    LETTERS,
    Kind,
    answer_by_scene,
    describe,
    question_kind,
    read_scene,
)
from blip_core.pocket.prompts import shipped_prompts
from blip_core.pocket.world import Split, Style, draw_scene

MAX_NEW_TOKENS = 96
TEMPERATURE = 0.5


@dataclass(frozen=True, slots=True)
class Written:
    """A labeller's text, parsed."""

    description: str
    question: str
    options: tuple[str, ...]
    answer: str


def parse_label(text: str) -> Written | None:
    """Parse the shipped form strictly; None where anything is amiss."""
    lines = text.strip().split("\n")
    marks = ("Description: ", "", "Question: ", "A. ", "B. ", "C. ", "D. ", "", "Answer: ")
    if len(lines) != len(marks) or not all(
        line.startswith(mark) if mark else not line for line, mark in zip(lines, marks, strict=True)
    ):
        return None
    fields = [line.removeprefix(mark) for line, mark in zip(lines, marks, strict=True)]
    options = tuple(fields[3:7])
    if fields[8] not in LETTERS or not all([fields[0], fields[2], *options]):
        return None
    return Written(fields[0], fields[2], options, options[LETTERS.index(fields[8])])


@torch.no_grad()
def write_labels(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    pictures: list[Pixels],
    temperature: float,
    batch_size: int = 64,
) -> list[str]:
    """Sample one label a picture through the processor and `generate`, as the real labeller is driven."""
    model.eval()
    texts: list[str] = []
    for start in range(0, len(pictures), batch_size):
        batch = pictures[start : start + batch_size]
        inputs = processor(
            images=list(batch), text=[shipped_prompts().label] * len(batch), padding=True, return_tensors="pt"
        )
        ids = model.generate(
            **inputs,
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=temperature > 0,
            temperature=temperature or None,
        )
        texts += processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    model.train()
    return texts


def score_labels(shots: list[Shot], texts: list[str]) -> dict[str, float]:
    """Shares of labels that parse, of right answers and asked questions by kind, of repeated options."""
    written = [(shot.scene, parse_label(text)) for shot, text in zip(shots, texts, strict=True)]
    parsed = [(scene, label) for scene, label in written if label is not None]
    scores: dict[str, float] = {"parsed": len(parsed) / len(texts)}
    distinct = [(scene, label) for scene, label in parsed if len(set(label.options)) == len(LETTERS)]
    scores["repeated"] = 1.0 - len(distinct) / max(1, len(parsed))
    right = [
        answer_by_scene(scene, label.question, label.options) == label.answer for scene, label in distinct
    ]
    scores["right"] = float(np.mean(right)) if right else 0.0
    scores["described"] = float(
        np.mean([read_scene(label.description) == s for s, label in parsed] or [False])
    )
    asked = [question_kind(label.question) for _, label in distinct]
    for kind in Kind:
        chosen = [ok for ok, other in zip(right, asked, strict=True) if other is kind]
        if chosen:
            scores[f"right {kind.value}"] = float(np.mean(chosen))
        scores[f"asked {kind.value}"] = len(chosen) / max(1, len(distinct))
    return {name: round(value, 3) for name, value in scores.items()}


@torch.no_grad()
def measure_text(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rows: int = 100, seed: int = 55
) -> float:
    """Share of true descriptions about which the Llama asks and answers rightly."""
    rng = np.random.default_rng(seed)
    scenes = [draw_scene(rng, Style.SHIFTED, Split.TEST) for _ in range(rows)]
    told = [f"Description: {describe(scene)}" for scene in scenes]
    inputs = tokenizer(told, padding=True, return_tensors="pt")
    model.eval()
    ids = model.generate(
        input_ids=inputs.input_ids,
        attention_mask=inputs.attention_mask,
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=True,
        temperature=TEMPERATURE,
    )
    model.train()
    labels = [parse_label(text) for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
    right = [
        label is not None and answer_by_scene(scene, label.question, label.options) == label.answer
        for scene, label in zip(scenes, labels, strict=True)
    ]
    return float(np.mean(right))
