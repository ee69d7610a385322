"""The pocket CLIP: pictures of the shop and the words for what they show, in one space."""

import copy
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from blip_core.pocket.backgrounds import PICTURE_PX, Pixels
from blip_core.pocket.language import with_article
from blip_core.pocket.pretraining import Plan, parameter_groups, publish_folder, say, step_rng, train_part
from blip_core.pocket.shop import (
    COLORS,
    MATERIALS,
    ShopItem,
    draw_item,
    full_caption,
    loose_caption,
    render_item,
)
from blip_core.pocket.tokenizers import shorten_tokenizer, special_tokens
from blip_core.pocket.vision import IMAGE_MEAN, IMAGE_STD, clip_config, to_pixel_values
from blip_core.pocket.world import OBJECT_NAMES, Split

PROJECTION = 64
TEXT_POSITIONS = 77
BANKS: dict[str, tuple[str, ...]] = {"color": tuple(COLORS), "material": MATERIALS, "object": OBJECT_NAMES}
WORD_FORMS: dict[str, tuple[str, ...]] = {
    "color": ("{word}", "{word} color", "a {word} object", "a photo of a {word} object"),
    "material": ("{word}", "{word} material", "a {word} object", "a photo of a {word} object"),
    "object": ("{word}", "a photo of {article}", "a picture of {article}"),
}
_TEXTS_A_PICTURE = 2
_TOWER_LR = 0.5  # the tower was taught the gallery; the text half begins at nothing
_BANK_WEIGHT = 0.5
_FROZEN_LAYERS = 2  # of four; they know the pocket world's shapes, and their states are kept
_SHELF_BATCH = 200


def word_text(kind: str, form: str, word: str) -> str:
    """A word of a bank in one of the forms that people ask CLIP with."""
    return form.format(word=word, article=with_article(word))


def text_config(tokenizer: PreTrainedTokenizerFast) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=PROJECTION,
        intermediate_size=4 * PROJECTION,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TEXT_POSITIONS,
        projection_dim=PROJECTION,
        **special_tokens(tokenizer),
    )


def new_clip(tokenizer: PreTrainedTokenizerFast, seed: int) -> CLIPModel:
    """A CLIP whose vision tower is that of the shipped labeller."""
    torch.manual_seed(seed)
    vision = clip_config()
    vision.projection_dim = PROJECTION
    config = CLIPConfig(text_config=text_config(tokenizer), vision_config=vision, projection_dim=PROJECTION)
    model = CLIPModel(config)
    labeller = LlavaForConditionalGeneration.from_pretrained(
        str(files("blip_core.pocket") / "models" / "llava"), dtype=torch.float32
    )
    source = {
        name.removeprefix("vision_model."): value
        for name, value in labeller.model.vision_tower.state_dict().items()
    }
    target = {name.removeprefix("vision_model.") for name in model.vision_model.state_dict()}
    prefix = "" if target == set(model.vision_model.state_dict()) else "vision_model."
    model.vision_model.load_state_dict({prefix + name: value for name, value in source.items()})
    return model


def word_of(item: ShopItem, kind: str) -> str | None:
    return {"color": item.color, "material": item.material, "object": item.name}[kind]


def is_true(kind_words: dict[str, str], item: ShopItem) -> bool:
    """Whether every attribute that a text states is the item's."""
    return all(word_of(item, kind) == word for kind, word in kind_words.items())


def draw_text(item: ShopItem, rng: np.random.Generator) -> tuple[str, dict[str, str]]:
    """A true text about an item, and the attributes that it states."""
    stated = {kind: word for kind in BANKS if (word := word_of(item, kind)) is not None}
    draw = rng.random()
    if draw < 0.2 and item.color and item.material:
        return full_caption(item), stated
    if draw < 0.4:
        return loose_caption(item, rng), stated
    kind = str(rng.choice(list(stated)))
    form = str(rng.choice(WORD_FORMS[kind]))
    return word_text(kind, form, stated[kind]), {kind: stated[kind]}


def train_clip(
    folder: Path,
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    stock: int,
    pictures: int = 40,
) -> None:
    """Train on `stock` pictures with all true texts of a batch as positives, and on banks of words.

    Where an attribute is absent its bank is asked for indifference, so that a margin can tell.
    """
    model.train()
    items, pixels = draw_stock(stock, plan.seed, Split.TRAIN)
    model.vision_model.requires_grad_(False)
    for layer in model.vision_model.encoder.layers[_FROZEN_LAYERS:]:
        layer.requires_grad_(True)
    model.vision_model.post_layernorm.requires_grad_(True)
    shelf = frozen_states(model, pixels)

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        chosen = rng.choice(len(items), size=pictures, replace=False)
        shown = [items[index] for index in chosen]
        told = dict(draw_text(item, rng) for item in shown for _ in range(_TEXTS_A_PICTURE))
        banks = {kind: str(rng.choice(WORD_FORMS[kind])) for kind in BANKS}
        asked = [word_text(kind, form, word) for kind, form in banks.items() for word in BANKS[kind]]
        seen = features_from(model, shelf[torch.from_numpy(chosen)].float())
        read = text_features(model, tokenizer, [*told, *asked])
        logits = model.logit_scale.exp().clamp(max=50.0) * seen @ read.T
        truth = torch.tensor([[is_true(stated, item) for stated in told.values()] for item in shown])
        loss = _all_positives_loss(logits[:, : len(told)], truth)
        return loss + _BANK_WEIGHT * _bank_loss(logits[:, len(told) :], shown)

    groups = parameter_groups(model, lambda name: _TOWER_LR if name.startswith("vision_model.") else 1.0)
    train_part(folder, model, loss_at, plan, groups)


@torch.no_grad()
def frozen_states(model: CLIPModel, pixels: Pixels) -> Tensor:
    """uint8 (n, 64, 64, 3) -> what leaves the layers that are not trained, float16 (n, 65, 128)."""
    tower, pieces = model.vision_model, []
    for start in range(0, len(pixels), _SHELF_BATCH):
        states = tower.pre_layrnorm(tower.embeddings(to_pixel_values(pixels[start : start + _SHELF_BATCH])))
        for layer in tower.encoder.layers[:_FROZEN_LAYERS]:
            states = layer(states, attention_mask=None)
        pieces.append(states.half())
    return torch.cat(pieces)


def features_from(model: CLIPModel, states: Tensor) -> Tensor:
    """What leaves the frozen layers, (n, 65, 128) -> unit vectors (n, 64)."""
    for layer in model.vision_model.encoder.layers[_FROZEN_LAYERS:]:
        states = layer(states, attention_mask=None)
    pooled = model.vision_model.post_layernorm(states[:, 0])
    return nn.functional.normalize(model.visual_projection(pooled), dim=-1)


def _all_positives_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Contrastive loss both ways, its target spread over all that is true of a picture or of a text."""
    losses = []
    for scores, right in ((logits, truth.float()), (logits.T, truth.T.float())):
        target = right / right.sum(dim=1, keepdim=True)
        losses.append(nn.functional.cross_entropy(scores, target))
    return sum(losses, torch.zeros(()))


def _bank_loss(logits: Tensor, items: list[ShopItem]) -> Tensor:
    loss, start = torch.zeros(()), 0
    for kind, words in BANKS.items():
        target = torch.full((len(items), len(words)), 1.0 / len(words))
        for row, item in enumerate(items):
            word = word_of(item, kind)
            if word is not None:
                target[row] = torch.eye(len(words))[words.index(word)]
        loss = loss + nn.functional.cross_entropy(logits[:, start : start + len(words)], target)
        start += len(words)
    return loss


def draw_stock(pictures: int, seed: int, split: Split) -> tuple[list[ShopItem], Pixels]:
    """Items and their pictures, uint8 (n, 64, 64, 3)."""
    rng = np.random.default_rng(seed)
    items = [draw_item(rng, split) for _ in range(pictures)]
    return items, np.stack([render_item(item, rng) for item in items])


def picture_features(model: CLIPModel, pixels: Pixels) -> Tensor:
    """uint8 (n, 64, 64, 3) -> unit vectors (n, 64)."""
    states = model.vision_model(pixel_values=to_pixel_values(pixels)).pooler_output
    return nn.functional.normalize(model.visual_projection(states), dim=-1)


def text_features(model: CLIPModel, tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> Tensor:
    """Texts -> unit vectors (n, 64)."""
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    states = model.text_model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).pooler_output
    return nn.functional.normalize(model.text_projection(states), dim=-1)


@torch.no_grad()
def measure_clip(
    model: CLIPModel, tokenizer: PreTrainedTokenizerFast, pictures: int, seed: int, split: Split
) -> dict[str, float]:
    """Share of attributes named right by the last form of each bank, and how well absence is told.

    Returns:
        For each bank its share right where the attribute is there; for colour and material also the area
        under the curve of the margin (best less second word) between pictures with and without it.
    """
    model.eval()
    items, pixels = draw_stock(pictures, seed, split)
    seen = picture_features(model, pixels)
    scores = {}
    for kind, words in BANKS.items():
        read = text_features(model, tokenizer, [word_text(kind, WORD_FORMS[kind][-1], w) for w in words])
        cosines = seen @ read.T
        best, second = cosines.topk(2, dim=1).values.T
        named = [words[index] for index in cosines.argmax(dim=1).tolist()]
        right = [n == word_of(i, kind) for n, i in zip(named, items, strict=True) if word_of(i, kind)]
        scores[kind] = round(float(np.mean(right)), 3)
        there = np.array([word_of(item, kind) is not None for item in items])
        margin = (best - second).numpy()
        if not there.all():
            higher = margin[there][:, None] > margin[~there][None]
            scores[f"{kind} absent"] = round(float(higher.mean()), 3)
    return scores


def publish_clip(folder: Path, model: CLIPModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write a half-precision checkpoint with its processor, whole or not at all."""
    pictures = CLIPImageProcessorPil(
        do_center_crop=False,
        size={"height": PICTURE_PX, "width": PICTURE_PX},
        image_mean=[IMAGE_MEAN] * 3,
        image_std=[IMAGE_STD] * 3,
    )
    processor = CLIPProcessor(pictures, tokenizer)
    half = copy.deepcopy(model).half().eval()

    def write(place: Path) -> None:
        half.save_pretrained(place)
        processor.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")
