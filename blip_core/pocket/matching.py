"""The pocket matching head: a Q-Former that reads a text beside a picture and says whether it is true."""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2ForImageTextRetrieval,
    Blip2Processor,
    PreTrainedTokenizerFast,
)

from blip_core.pocket.blip2 import (
    QFORMER_WIDTH,
    QUERY_TOKENS,
    picture_processor,
    qformer_config,
    with_a_mistake,
)
from blip_core.pocket.gallery import Gallery
from blip_core.pocket.language import PLACE_PHRASES, TIME_PHRASES, caption, describe, tell_scene
from blip_core.pocket.pretraining import Plan, parameter_groups, publish_folder, say, step_rng, train_part
from blip_core.pocket.sentences import DISHES, dish_caption
from blip_core.pocket.tokenizers import IMAGE, PAD, shorten_tokenizer
from blip_core.pocket.vision import vision_config
from blip_core.pocket.world import Group, PocketScene

POSITIONS = 128
_EMBEDDING_STD = 0.3
_CARRIED_LR = 0.5


def new_matcher(
    tokenizer: PreTrainedTokenizerFast, seeing: Blip2ForConditionalGeneration, seed: int
) -> Blip2ForImageTextRetrieval:
    """Tower, queries and Q-Former of a BLIP-2, with the layers that read text new."""
    torch.manual_seed(seed)
    reading = qformer_config()
    reading.use_qformer_text_input = True
    reading.vocab_size = len(tokenizer)
    reading.max_position_embeddings = POSITIONS
    reading.pad_token_id = tokenizer.convert_tokens_to_ids(PAD)
    config = Blip2Config(
        vision_config=vision_config().to_dict(),
        qformer_config=reading.to_dict(),
        text_config=seeing.config.text_config.to_dict(),
        num_query_tokens=QUERY_TOKENS,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_text_hidden_size=QFORMER_WIDTH // 2,
    )
    model = Blip2ForImageTextRetrieval(config)
    model.vision_model.load_state_dict(seeing.vision_model.state_dict())
    carried = model.qformer.load_state_dict(seeing.qformer.state_dict(), strict=False)
    if carried.unexpected_keys:
        raise ValueError(f"the Q-Formers differ: {carried.unexpected_keys[:3]}")
    with torch.no_grad():
        model.query_tokens.copy_(seeing.query_tokens)
        model.embeddings.word_embeddings.weight.normal_(std=_EMBEDDING_STD)
    model.vision_model.requires_grad_(False)
    for unused in (model.vision_projection, model.text_projection):
        unused.requires_grad_(False)
    return model


def draw_pair(
    scene: PocketScene, scenes: list[PocketScene], rng: np.random.Generator, share_true: float = 0.4
) -> tuple[str, bool]:
    """A text about a picture, and whether it is true; all are worded by the same speakers.

    What is false is about another picture, or has one mistake.
    """
    draw = rng.random()
    told = scene
    if draw >= share_true + 0.2:
        told = with_a_mistake(scene, rng)
    elif draw >= share_true:
        told = scenes[int(rng.integers(len(scenes)))]
    if is_dish(scene) and rng.random() < 0.5:
        if not is_dish(told):
            told = PocketScene(told.place, told.time, (Group(_other_dish(scene, rng), 1),))
        text, counted = dish_caption(told, rng), False
    else:
        speakers = (lambda s: caption(s, rng), describe, lambda s: tell_scene(s, rng))
        text, counted = speakers[int(rng.integers(3))](told), True
    return text, told == scene or holds(text, told, scene, counted)


def holds(text: str, told: PocketScene, scene: PocketScene, counted: bool) -> bool:
    """Whether a text made for one scene is true of another, as loose captions may be."""
    place = PLACE_PHRASES[told.place] not in text or told.place == scene.place
    time = TIME_PHRASES[told.time] not in text or told.time == scene.time
    named = [group for group in told.groups if group.name[:-1] in text]
    if counted:
        return place and time and all(group in scene.groups for group in named)
    return place and time and {g.name for g in named} <= {g.name for g in scene.groups}


def is_dish(scene: PocketScene) -> bool:
    return len(scene.groups) == 1 and scene.groups[0].name in DISHES


def _other_dish(scene: PocketScene, rng: np.random.Generator) -> str:
    return str(rng.choice([name for name in DISHES if name != scene.groups[0].name]))


def match_logits(
    model: Blip2ForImageTextRetrieval, tokenizer: PreTrainedTokenizerFast, states: Tensor, texts: list[str]
) -> Tensor:
    """Vision states (n, patches, width) and n texts -> logits of "does not" and "does" belong, (n, 2)."""
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    queries = model.query_tokens.expand(len(states), -1, -1)
    seen = torch.ones(queries.shape[:2], dtype=torch.long)
    told = model.qformer(
        query_embeds=model.embeddings(input_ids=batch.input_ids, query_embeds=queries),
        query_length=QUERY_TOKENS,
        attention_mask=torch.cat([seen, batch.attention_mask], dim=1),
        encoder_hidden_states=states,
    ).last_hidden_state
    logits: Tensor = model.itm_head(told[:, :QUERY_TOKENS]).mean(dim=1)
    return logits


def train_matcher(
    folder: Path,
    model: Blip2ForImageTextRetrieval,
    tokenizer: PreTrainedTokenizerFast,
    gallery: Gallery,
    plan: Plan,
    pictures: int = 24,
) -> None:
    """Two texts a picture; the tower stays as it is."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        scenes, states = gallery.draw(rng, pictures)
        pairs = [draw_pair(scene, gallery.scenes, rng) for scene in scenes for _ in range(2)]
        logits = match_logits(model, tokenizer, states.repeat_interleave(2, 0), [text for text, _ in pairs])
        return nn.functional.cross_entropy(logits, torch.tensor([int(true) for _, true in pairs]))

    def scale(name: str) -> float:
        return _CARRIED_LR if ".crossattention." in name or "_query." in name else 1.0

    train_part(folder, model, loss_at, plan, parameter_groups(model, scale))
    model.eval()


@torch.no_grad()
def measure_matcher(
    model: Blip2ForImageTextRetrieval, tokenizer: PreTrainedTokenizerFast, gallery: Gallery, seed: int
) -> dict[str, float]:
    """Share judged rightly of true texts, of texts about another picture, of texts with one mistake."""
    rng = np.random.default_rng(seed)
    states = gallery.states.float()
    others = [gallery.scenes[(i + 1) % len(gallery.scenes)] for i in range(len(gallery.scenes))]
    mistaken = [with_a_mistake(scene, rng) for scene in gallery.scenes]
    scores = {}
    for name, told in (("true", gallery.scenes), ("foreign", others), ("one mistake", mistaken)):
        texts = [describe(scene) for scene in told]
        says = match_logits(model, tokenizer, states, texts).argmax(-1).tolist()
        right = [bool(s) == (t == g) for s, t, g in zip(says, told, gallery.scenes, strict=True)]
        scores[name] = round(float(np.mean(right)), 3)
    return scores


def publish_matcher(
    folder: Path, model: Blip2ForImageTextRetrieval, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write a half-precision checkpoint with its processor, whole or not at all."""
    processor = Blip2Processor(picture_processor(), tokenizer, num_query_tokens=QUERY_TOKENS)
    half = copy.deepcopy(model).half().eval()

    def write(place: Path) -> None:
        half.save_pretrained(place)
        processor.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")
