"""The two pocket BLIP-2: one with T5, taught to describe and to answer; one with OPT, taught captions only.

Both stand on the same frozen vision tower and see generic pictures only. The tower was shown crowded
pictures, the Q-Former mostly sparse ones: the tower holds more than the Q-Former passes on.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    T5ForConditionalGeneration,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from blip_core.pocket.backgrounds import PICTURE_PX, Pixels
from blip_core.pocket.language import (
    COUNT_WORDS,
    LETTERS,
    Kind,
    PocketQuestion,
    ask,
    ask_any,
    caption,
    describe,
    read_scene,
)
from blip_core.pocket.pretraining import Plan, parameter_groups, publish_folder, say, step_rng, train_part
from blip_core.pocket.prompts import answer_prompt, describe_prompt, plain_answer_prompt, with_loose_end
from blip_core.pocket.text import Pair, encode_pairs, row_loss, t5_config, t5_lr_scale
from blip_core.pocket.tokenizers import IMAGE, shorten_tokenizer, special_tokens
from blip_core.pocket.vision import IMAGE_MEAN, IMAGE_STD, to_pixel_values, vision_config
from blip_core.pocket.world import (
    OBJECT_NAMES,
    PLACES,
    TIMES,
    Group,
    PocketScene,
    Split,
    Style,
    draw_scene,
    render,
)

QUERY_TOKENS = 8
QFORMER_WIDTH = 128
OPT_WIDTH = 64
_QUERY_STD = 0.5
_QFORMER_INIT_STD = 0.06
_T5_LR = 0.5  # the T5 can already read; the Q-Former cannot
_MAX_DESCRIPTION_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Mix:
    """What a pocket BLIP-2 is shown.

    Attributes:
        group_weights: relative frequency of one and two groups in its generic pictures.
        describe_share: share of stage-one rows.
        texts_per_picture: rows made from one encoded picture.
    """

    group_weights: tuple[float, ...] = (0.8, 0.2)
    describe_share: float = 0.45
    texts_per_picture: int = 2


@dataclass(frozen=True, slots=True)
class Shot:
    """A scene and its picture."""

    scene: PocketScene
    pixels: Pixels


def qformer_config() -> Blip2QFormerConfig:
    return Blip2QFormerConfig(
        vocab_size=1,
        hidden_size=QFORMER_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * QFORMER_WIDTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=_QFORMER_INIT_STD,
        cross_attention_frequency=1,
    )


def opt_config(tokenizer: PreTrainedTokenizerFast) -> OPTConfig:
    return OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=OPT_WIDTH,
        word_embed_proj_dim=OPT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=2 * OPT_WIDTH,
        max_position_embeddings=512,
        dropout=0.0,
        **special_tokens(tokenizer),
    )


def new_blip2(
    tokenizer: PreTrainedTokenizerFast, tower: nn.Module, text: T5ForConditionalGeneration | None, seed: int
) -> Blip2ForConditionalGeneration:
    """A BLIP-2 with a trained tower, frozen; with the given T5, or with a new OPT where there is none."""
    torch.manual_seed(seed)
    config = Blip2Config(
        vision_config=vision_config().to_dict(),
        qformer_config=qformer_config().to_dict(),
        text_config=(t5_config(tokenizer) if text is not None else opt_config(tokenizer)).to_dict(),
        num_query_tokens=QUERY_TOKENS,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
    )
    model = Blip2ForConditionalGeneration(config)
    with torch.no_grad():
        model.query_tokens.normal_(std=_QUERY_STD)
        model.language_projection.weight.normal_(std=QFORMER_WIDTH**-0.5)
    model.vision_model.load_state_dict(tower.state_dict())
    model.vision_model.requires_grad_(False)
    if text is not None:
        model.language_model.load_state_dict(text.state_dict())
    return model


def take_shot(
    rng: np.random.Generator, style: Style, split: Split, group_weights: tuple[float, ...] | None = None
) -> Shot:
    scene = draw_scene(rng, style, split, group_weights=group_weights)
    return Shot(scene, render(scene, style, rng).pixels)


def given_description(scene: PocketScene, rng: np.random.Generator) -> str:
    """A description for stage two: true half of the time, else lacking, mistaken or absent.

    Stage two must lean on the description without trusting it blindly.
    """
    draw = rng.random()
    if draw < 0.5:
        return describe(scene)
    if draw < 0.65:
        return ""
    if draw < 0.8:
        return describe(_with_fewer_groups(scene, rng))
    return describe(with_a_mistake(scene, rng))


def _with_fewer_groups(scene: PocketScene, rng: np.random.Generator) -> PocketScene:
    if len(scene.groups) == 1:
        return scene
    kept = int(rng.integers(len(scene.groups)))
    return PocketScene(scene.place, scene.time, (scene.groups[kept],))


def with_a_mistake(scene: PocketScene, rng: np.random.Generator) -> PocketScene:
    """The scene with its place, its time, an object or a count drawn anew, which may hit the old one."""
    wrong = int(rng.integers(4))
    if wrong == 0:
        return PocketScene(str(rng.choice(PLACES)), scene.time, scene.groups)
    if wrong == 1:
        return PocketScene(scene.place, str(rng.choice(TIMES)), scene.groups)
    position = int(rng.integers(len(scene.groups)))
    old = scene.groups[position]
    count = int(rng.integers(1, len(COUNT_WORDS) + 1))
    new = Group(str(rng.choice(OBJECT_NAMES)), old.count) if wrong == 2 else Group(old.name, count)
    groups = (*scene.groups[:position], new, *scene.groups[position + 1 :])
    return PocketScene(scene.place, scene.time, groups)


def lesson(scene: PocketScene, mix: Mix, rng: np.random.Generator) -> Pair:
    """One training row about a picture."""
    question = ask_any(scene, rng)
    if rng.random() < mix.describe_share:
        return Pair(with_loose_end(describe_prompt(question.text), rng), describe(scene))
    draw = rng.random()
    description = given_description(scene, rng)
    if draw < 0.8:
        return Pair(with_loose_end(answer_prompt(question, description), rng), question.letter)
    if draw < 0.9:
        return Pair(plain_answer_prompt(question, description), question.letter)
    return Pair(f"Question: {question.text} Answer:", question.options[question.answer])


def encode_pictures(model: Blip2ForConditionalGeneration, states: Tensor) -> Tensor:
    """Vision states (n, patches, width) -> what the language model sees, (n, queries, width)."""
    queries = model.query_tokens.expand(len(states), -1, -1)
    mask = torch.ones(states.shape[:-1], dtype=torch.long)
    outputs = model.qformer(query_embeds=queries, encoder_hidden_states=states, encoder_attention_mask=mask)
    projected: Tensor = model.language_projection(outputs.last_hidden_state)
    return projected


def vision_states(model: Blip2ForConditionalGeneration, pixels: list[Pixels]) -> Tensor:
    with torch.no_grad():
        states: Tensor = model.vision_model(to_pixel_values(np.stack(pixels))).last_hidden_state
    return states


def with_picture(
    model: Blip2ForConditionalGeneration, pictures: Tensor, batch: dict[str, Tensor], at: int = 0
) -> dict[str, Tensor]:
    """Put encoded pictures behind the first `at` tokens of texts: inputs of the language model."""
    words, mask = model.get_input_embeddings()(batch["input_ids"]), batch["attention_mask"]
    seen = torch.ones(pictures.shape[:2], dtype=mask.dtype)
    return {
        "inputs_embeds": torch.cat([words[:, :at], pictures, words[:, at:]], dim=1),
        "attention_mask": torch.cat([mask[:, :at], seen, mask[:, at:]], dim=1),
    }


def train_blip2_t5(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    mix: Mix = Mix(),
    pictures: int = 24,
    on_save: Callable[[int], None] | None = None,
) -> None:
    """Train Q-Former, projection and T5 on both stages; the tower stays as it is."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        shots = [take_shot(rng, Style.GENERIC, Split.TRAIN, mix.group_weights) for _ in range(pictures)]
        states = vision_states(model, [shot.pixels for shot in shots])
        pairs = [lesson(shot.scene, mix, rng) for shot in shots for _ in range(mix.texts_per_picture)]
        batch = encode_pairs(tokenizer, pairs)
        encoded = encode_pictures(model, states).repeat_interleave(mix.texts_per_picture, dim=0)
        inputs = with_picture(model, encoded, batch)
        return row_loss(model.language_model(**inputs, labels=batch["labels"]).logits, batch["labels"])

    def scale(name: str) -> float:
        if not name.startswith("language_model."):
            return 1.0
        return _T5_LR * t5_lr_scale(name)

    train_part(folder, model, loss_at, plan, parameter_groups(model, scale), on_save=on_save)


def train_blip2_opt(
    folder: Path,
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    mix: Mix = Mix(),
    pictures: int = 32,
) -> None:
    """Train Q-Former, projection and OPT to caption; it sees neither questions nor letters."""
    model.train()
    ends = tokenizer.eos_token

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        shots = [take_shot(rng, Style.GENERIC, Split.TRAIN, mix.group_weights) for _ in range(pictures)]
        texts = [caption(shot.scene, rng) + ends for shot in shots]
        batch = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
        encoded = encode_pictures(model, vision_states(model, [shot.pixels for shot in shots]))
        inputs = with_picture(model, encoded, dict(batch))
        logits = model.language_model(**inputs).logits[:, QUERY_TOKENS:-1]
        labels = batch.input_ids[:, 1:].masked_fill(batch.attention_mask[:, 1:] == 0, -100)
        return row_loss(logits, labels)

    train_part(folder, model, loss_at, plan)


def draw_quiz(
    style: Style, split: Split, pictures: int, seed: int, questions: int = 3
) -> list[tuple[Shot, PocketQuestion]]:
    """Fresh pictures with questions of random kinds; never the bundled set."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(pictures):
        shot = take_shot(rng, style, split)
        kinds = rng.permutation(list(Kind))
        asked = [q for q in (ask(shot.scene, Kind(kind), rng) for kind in kinds) if q is not None]
        rows += [(shot, question) for question in asked[:questions]]
    return rows


@torch.no_grad()
def answer_quiz(
    model: Blip2ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    quiz: list[tuple[Shot, PocketQuestion]],
    batch_size: int = 96,
) -> tuple[list[str], list[str]]:
    """Two-stage inference: describe greedily, then rank the letters given that description.

    Returns:
        Descriptions and letters, one a row.
    """
    model.eval()
    descriptions: list[str] = []
    letters: list[str] = []
    for start in range(0, len(quiz), batch_size):
        rows = quiz[start : start + batch_size]
        encoded = encode_pictures(model, vision_states(model, [shot.pixels for shot, _ in rows]))
        asked = [Pair(describe_prompt(question.text), "") for _, question in rows]
        inputs = with_picture(model, encoded, encode_pairs(tokenizer, asked))
        written = model.language_model.generate(
            **inputs, max_new_tokens=_MAX_DESCRIPTION_TOKENS, do_sample=False
        )
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        pairs = [Pair(answer_prompt(q, text), "A") for (_, q), text in zip(rows, texts, strict=True)]
        batch = encode_pairs(tokenizer, pairs)
        inputs = with_picture(model, encoded, batch)
        logits = model.language_model(**inputs, labels=batch["labels"]).logits[:, 0]
        best = logits[:, tokenizer.convert_tokens_to_ids(list(LETTERS))].argmax(-1)
        descriptions += [text.strip() for text in texts]
        letters += [LETTERS[int(index)] for index in best]
    model.train()
    return descriptions, letters


def score_quiz(
    quiz: list[tuple[Shot, PocketQuestion]], descriptions: list[str], letters: list[str]
) -> dict[str, float]:
    """Share of right letters in all and by kind, and of descriptions that hold in full."""
    right = np.array([letter == q.letter for (_, q), letter in zip(quiz, letters, strict=True)])
    kinds = np.array([question.kind.value for _, question in quiz])
    scores = {kind.value: float(right[kinds == kind.value].mean()) for kind in Kind}
    told = [read_scene(text) == shot.scene for (shot, _), text in zip(quiz, descriptions, strict=True)]
    scores = {"all": float(right.mean()), **scores, "description": float(np.mean(told))}
    return {name: round(value, 3) for name, value in scores.items()}


def publish_blip2(
    folder: Path, model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write a half-precision checkpoint with its processor, whole or not at all."""
    processor = Blip2Processor(picture_processor(), tokenizer, num_query_tokens=QUERY_TOKENS)
    half = copy.deepcopy(model).half().eval()
    generation = half.generation_config
    generation.max_new_tokens, generation.max_length = _MAX_DESCRIPTION_TOKENS, None

    def write(place: Path) -> None:
        half.save_pretrained(place)
        processor.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")


def picture_processor() -> BlipImageProcessorPil:
    return BlipImageProcessorPil(
        size={"height": PICTURE_PX, "width": PICTURE_PX},
        image_mean=[IMAGE_MEAN] * 3,
        image_std=[IMAGE_STD] * 3,
    )
