"""The pocket InstructBLIP: a Q-Former that reads the instruction, before the T5 of the shipped BLIP-2."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import (
    Blip2ForConditionalGeneration,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    InstructBlipProcessor,
    InstructBlipQFormerConfig,
    PreTrainedTokenizerFast,
)

from blip_core.pocket.blip2 import QUERY_TOKENS, picture_processor, qformer_config, with_picture
from blip_core.pocket.captioner import names_object, seen_text
from blip_core.pocket.gallery import Gallery
from blip_core.pocket.pretraining import Plan, parameter_groups, publish_folder, say, step_rng, train_part
from blip_core.pocket.sentences import free_question
from blip_core.pocket.text import Pair, encode_pairs, row_loss, t5_lr_scale
from blip_core.pocket.tokenizers import IMAGE, PAD, shorten_tokenizer
from blip_core.pocket.vision import vision_config
from blip_core.pocket.world import PocketScene

POSITIONS = 512
_EMBEDDING_STD = 0.1
_T5_LR = 0.3  # the T5 reads and answers already
_MAX_NEW_TOKENS = 32
CAPTION_INSTRUCTION = "Describe the picture."
_NORM = "layernorm."


def new_instructblip(
    tokenizer: PreTrainedTokenizerFast, seeing: Blip2ForConditionalGeneration, seed: int
) -> InstructBlipForConditionalGeneration:
    """All of the shipped BLIP-2; what reads the instruction is new."""
    torch.manual_seed(seed)
    reading = InstructBlipQFormerConfig(
        **{
            name: value
            for name, value in qformer_config().to_dict().items()
            if name not in ("model_type", "use_qformer_text_input", "vocab_size", "architectures")
        },
        vocab_size=len(tokenizer),
    )
    reading.max_position_embeddings = POSITIONS
    reading.pad_token_id = tokenizer.convert_tokens_to_ids(PAD)
    vision = vision_config().to_dict()
    vision["model_type"] = "instructblip_vision_model"
    config = InstructBlipConfig(
        vision_config=vision,
        qformer_config=reading.to_dict(),
        text_config=seeing.config.text_config.to_dict(),
        num_query_tokens=QUERY_TOKENS,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
    )
    model = InstructBlipForConditionalGeneration(config)
    model.vision_model.load_state_dict(seeing.vision_model.state_dict())
    state = seeing.qformer.state_dict()
    norm = {name: state.pop(name) for name in list(state) if name.startswith(_NORM)}
    carried = model.qformer.load_state_dict(state, strict=False)
    if carried.unexpected_keys:
        raise ValueError(f"the Q-Formers differ: {carried.unexpected_keys[:3]}")
    model.qformer.embeddings.layernorm.load_state_dict(
        {name.removeprefix(_NORM): value for name, value in norm.items()}
    )
    with torch.no_grad():
        model.query_tokens.copy_(seeing.query_tokens)
        model.qformer.embeddings.word_embeddings.weight.normal_(std=_EMBEDDING_STD)
    model.language_projection.load_state_dict(seeing.language_projection.state_dict())
    model.language_model.load_state_dict(seeing.language_model.state_dict())
    model.vision_model.requires_grad_(False)
    return model


def encode_instructed(
    model: InstructBlipForConditionalGeneration, states: Tensor, batch: dict[str, Tensor]
) -> Tensor:
    """Vision states and encoded instructions -> what the T5 sees of each picture, (n, queries, width)."""
    queries = model.query_tokens.expand(len(states), -1, -1)
    seen = torch.ones(queries.shape[:2], dtype=torch.long)
    told = model.qformer(
        input_ids=batch["input_ids"],
        attention_mask=torch.cat([seen, batch["attention_mask"]], dim=1),
        query_embeds=queries,
        encoder_hidden_states=states,
    ).last_hidden_state
    projected: Tensor = model.language_projection(told[:, :QUERY_TOKENS])
    return projected


def instructed(scene: PocketScene, rng: np.random.Generator) -> Pair:
    """An instruction and what it asks for: a free answer, a description, a caption."""
    prompt, text = seen_text(scene, rng)
    return Pair(prompt or CAPTION_INSTRUCTION, text.strip())


def train_instructblip(
    folder: Path,
    model: InstructBlipForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    plan: Plan,
    pictures: int = 24,
) -> None:
    """Train everything behind the tower on instructions."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        scenes, states = gallery.draw(rng, pictures)
        batch = encode_pairs(tokenizer, [instructed(scene, rng) for scene in scenes])
        inputs = with_picture(model, encode_instructed(model, states, batch), batch)
        return row_loss(model.language_model(**inputs, labels=batch["labels"]).logits, batch["labels"])

    def scale(name: str) -> float:
        return _T5_LR * t5_lr_scale(name) if name.startswith("language_model.") else 1.0

    train_part(folder, model, loss_at, plan, parameter_groups(model, scale))
    model.eval()


@torch.no_grad()
def measure_instructblip(
    model: InstructBlipForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    seed: int,
) -> dict[str, float]:
    """Share of right free answers, and of captions that name an object of the picture."""
    rng = np.random.default_rng(seed)
    rows = [free_question(scene, rng) for scene in gallery.scenes]
    written = {}
    for kind, prompts in (
        ("answers", [asked for asked, _ in rows]),
        ("captions", [CAPTION_INSTRUCTION] * len(rows)),
    ):
        batch = encode_pairs(tokenizer, [Pair(prompt, "") for prompt in prompts])
        inputs = with_picture(model, encode_instructed(model, gallery.states.float(), batch), batch)
        ids = model.language_model.generate(**inputs, do_sample=False, max_new_tokens=_MAX_NEW_TOKENS)
        written[kind] = [text.strip() for text in tokenizer.batch_decode(ids, skip_special_tokens=True)]
    right = [
        text in {g.name for g in scene.groups} if truth in {g.name for g in scene.groups} else text == truth
        for text, (_, truth), scene in zip(written["answers"], rows, gallery.scenes, strict=True)
    ]
    named = [
        names_object(text, scene) for text, scene in zip(written["captions"], gallery.scenes, strict=True)
    ]
    return {"answers": round(float(np.mean(right)), 3), "captions": round(float(np.mean(named)), 3)}


def publish_instructblip(
    folder: Path, model: InstructBlipForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write a half-precision checkpoint with its processor, whole or not at all."""
    processor = InstructBlipProcessor(
        picture_processor(), tokenizer, copy.deepcopy(tokenizer), num_query_tokens=QUERY_TOKENS
    )
    half = copy.deepcopy(model).half().eval()
    generation = half.generation_config
    generation.max_new_tokens, generation.max_length = _MAX_NEW_TOKENS, None

    def write(place: Path) -> None:
        half.save_pretrained(place)
        processor.save_pretrained(place)
        for home in (place, place / "qformer_tokenizer"):
            shorten_tokenizer(home)

    publish_folder(folder, write)
    say(f"published {folder}")
