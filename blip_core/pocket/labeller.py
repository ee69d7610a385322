"""The pocket LLaVA: looks at a picture and writes a description, a question, four options and the answer.

It may know the shift, as real labellers know the web: its tower saw generic and shifted pictures. It
first learns from text alone to ask about a description and to answer; then, the tower frozen, to
describe what it sees. The description comes first, so that the answer can be read from it.
"""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llama.modeling_llama import LlamaAttention

from blip_core.pocket.backgrounds import PICTURE_PX
from blip_core.pocket.blip2 import Shot, take_shot
from blip_core.pocket.language import (
    COUNT_WORDS,
    LETTERS,
    Kind,
    PocketQuestion,
    ask_any,
    describe,
)
from blip_core.pocket.pretraining import Plan, parameter_groups, publish_folder, say, step_rng, train_part
from blip_core.pocket.prompts import shipped_prompts, with_loose_end
from blip_core.pocket.tokenizers import IMAGE, shorten_tokenizer, special_tokens
from blip_core.pocket.vision import (
    GRID,
    IMAGE_MEAN,
    IMAGE_STD,
    PATCH_PX,
    clip_config,
    to_pixel_values,
)
from blip_core.pocket.world import OBJECT_NAMES, PLACES, TIMES, PocketScene, Split, Style, draw_scene
from blip_core.pocket.written_labels import MAX_NEW_TOKENS, measure_text

LLAMA_WIDTH = 128
IMAGE_TOKENS = GRID * GRID + 1
_DESCRIPTION_WEIGHT = 2.0  # everything after it can be copied from it
_COPIED_WEIGHT = 6.0  # the right option, which stands first: the one word that takes reading back
_FORM_WEIGHT = 1.0
_SHIFTED_SHARE = 0.7
_LLAMA_LR = 0.7  # of the projector's learning rate
_TOWER_LR = 0.2  # where it is trained at all
_NO_LABEL = -100
_KNOWN_OPTIONS = (*OBJECT_NAMES, *PLACES, *TIMES, *COUNT_WORDS)
TAUGHT_KINDS = (Kind.PLACE, Kind.TIME, Kind.OBJECT, Kind.COUNT)
_ASKS = "\n\nQuestion:"
_COPIED = re.compile(r"\nA\.([^\n]*)")
_MATCH_STD = 0.12  # of the heads that start as matching ones


def llama_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=LLAMA_WIDTH,
        intermediate_size=2 * LLAMA_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=0.05,
        tie_word_embeddings=False,
        **special_tokens(tokenizer),
    )


def new_llama(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained Llama; from the second layer on, one head a layer looks for words like its own.

    Query = key at the start spares it thousands of steps of finding out how to read a description back.
    """
    torch.manual_seed(seed)
    model = LlamaForCausalLM(llama_config(tokenizer))
    for layer in model.model.layers[1:]:
        _start_matching(layer.self_attn, model.config.head_dim)
    return model


@torch.no_grad()
def _start_matching(attention: LlamaAttention, head_dim: int) -> None:
    shared = torch.randn(head_dim, LLAMA_WIDTH) * _MATCH_STD
    attention.q_proj.weight[-head_dim:] = shared
    attention.k_proj.weight[-head_dim:] = shared


def new_llava(
    tokenizer: PreTrainedTokenizerFast, tower: nn.Module, text: LlamaForCausalLM, seed: int
) -> LlavaForConditionalGeneration:
    """A LLaVA with a trained tower, frozen, and a Llama that can already ask and answer."""
    torch.manual_seed(seed)
    config = LlavaConfig(
        vision_config=clip_config().to_dict(),
        text_config=llama_config(tokenizer).to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=IMAGE_TOKENS,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.vision_tower.requires_grad_(False)
    model.model.language_model.load_state_dict(text.model.state_dict())
    model.lm_head.load_state_dict(text.lm_head.state_dict())
    return model


def answer_first(question: PocketQuestion) -> PocketQuestion:
    """The same question with its right option first and the others in a fixed order.

    So asked, the right option is copied from the description and none comes twice, which a small model
    learns soon. The letter means nothing: whoever uses labels shuffles the options.
    """
    others = [option for index, option in enumerate(question.options) if index != question.answer]
    second, third, fourth = sorted(others, key=_KNOWN_OPTIONS.index)
    return PocketQuestion(
        question.kind, question.text, (question.options[question.answer], second, third, fourth), 0
    )


def draw_question(scene: PocketScene, rng: np.random.Generator, kinds: tuple[Kind, ...]) -> PocketQuestion:
    """A question as the labeller is taught to ask it."""
    return answer_first(ask_any(scene, rng, kinds))


def write_label(scene: PocketScene, question: PocketQuestion) -> str:
    options = "\n".join(
        f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=True)
    )
    return (
        f"Description: {describe(scene)}\n\nQuestion: {question.text}\n{options}\n\nAnswer: {question.letter}"
    )


def encode_labels(
    tokenizer: PreTrainedTokenizerFast, prompts: list[str], targets: list[str]
) -> dict[str, Tensor]:
    """Right-padded ids, mask, labels and the weight of every label."""
    heads = tokenizer(prompts).input_ids
    tails = tokenizer(targets, add_special_tokens=False).input_ids
    spans = tokenizer(targets, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    longest = max(len(head) + len(tail) + 1 for head, tail in zip(heads, tails, strict=True))
    shape = (len(heads), longest)
    ids = np.full(shape, tokenizer.pad_token_id)
    mask, labels = np.zeros(shape, dtype=np.int64), np.full(shape, _NO_LABEL)
    weights = np.zeros(shape, dtype=np.float32)
    for row, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        start, end = len(head), len(head) + len(tail)
        ids[row, : end + 1] = [*head, *tail, tokenizer.eos_token_id]
        mask[row, : end + 1] = 1
        labels[row, start : end + 1] = ids[row, start : end + 1]
        weights[row, start:end] = [_weight_at(targets[row], begin) for begin, _ in spans[row]]
        weights[row, end] = _FORM_WEIGHT
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "labels": torch.from_numpy(labels),
        "weights": torch.from_numpy(weights),
    }


def _weight_at(target: str, position: int) -> float:
    """What the token that begins at a position of a label counts in the loss."""
    if position < target.find(_ASKS):  # a scene list asks nothing
        return _DESCRIPTION_WEIGHT
    is_copied = any(span.start(1) <= position < span.end(1) for span in _COPIED.finditer(target))
    return _COPIED_WEIGHT if is_copied else _FORM_WEIGHT


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of next-token losses; `logits` of position i foretell label i + 1."""
    losses = nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=_NO_LABEL
    )
    return (losses * weights[:, 1:]).sum() / weights[:, 1:].sum()


def text_lesson(rng: np.random.Generator, kinds: tuple[Kind, ...]) -> tuple[str, str]:
    """Prompt and target without a picture: the description is given, the rest is to be written."""
    scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN)
    return _cut(write_label(scene, draw_question(scene, rng, kinds)), _ASKS)


def counting_lesson(rng: np.random.Generator) -> tuple[str, str]:
    """Prompt and target without a picture: of every group of a description, how many it holds.

    Asked of one group alone, a small model learns which numbers a description holds, and not of what.
    """
    scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN)
    asked = [PocketScene(scene.place, scene.time, (group,)) for group in scene.groups]
    questions = [ask_any(alone, rng, (Kind.COUNT,)) for alone in asked]
    order = rng.permutation(len(questions))
    told = [f"{_ASKS} {questions[i].text}\nA. {questions[i].options[questions[i].answer]}" for i in order]
    return f"Description: {describe(scene)}", "".join(told)


def _any_lesson(rng: np.random.Generator, kinds: tuple[Kind, ...]) -> tuple[str, str]:
    return text_lesson(rng, kinds) if rng.random() < 0.5 else counting_lesson(rng)  # half and half


def _cut(text: str, mark: str) -> tuple[str, str]:
    position = text.index(mark)
    return text[:position], text[position:]


def train_text(
    folder: Path,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    kinds: tuple[Kind, ...],
    batch_size: int = 48,
) -> None:
    """Teach the Llama to ask about a description and to answer, from text alone."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        rows = [_any_lesson(rng, kinds) for _ in range(batch_size)]
        batch = encode_labels(tokenizer, [head for head, _ in rows], [tail for _, tail in rows])
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return weighted_loss(logits, batch["labels"], batch["weights"])

    def score(step: int) -> None:
        say(f"{folder.name} {step}: {measure_text(model, tokenizer):.3f}")

    train_part(folder, model, loss_at, plan, on_save=score)


def train_llava(
    folder: Path,
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    plan: Plan,
    kinds: tuple[Kind, ...],
    pictures: int = 24,
    texts: int = 16,
    on_save: Callable[[int], None] | None = None,
) -> None:
    """Teach a LLaVA to label pictures; lessons without pictures keep reading back alive."""
    model.train()

    def loss_at(step: int) -> Tensor:
        rng = step_rng(plan.seed, step)
        seen = picture_loss(model, tokenizer, [_any_shot(rng) for _ in range(pictures)], kinds, rng)
        if not texts:
            return seen
        rows = [_any_lesson(rng, kinds) for _ in range(texts)]
        batch = encode_labels(tokenizer, [head for head, _ in rows], [tail for _, tail in rows])
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return seen + 0.5 * weighted_loss(logits, batch["labels"], batch["weights"])

    groups = parameter_groups(model, _lr_scale)
    train_part(folder, model, loss_at, plan, groups, on_save=on_save)


def _lr_scale(name: str) -> float:
    if "projector" in name:
        return 1.0
    return _TOWER_LR if "vision_tower" in name else _LLAMA_LR


def _any_shot(rng: np.random.Generator) -> Shot:
    style = Style.SHIFTED if rng.random() < _SHIFTED_SHARE else Style.GENERIC
    return take_shot(rng, style, Split.TRAIN)


def picture_loss(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    shots: list[Shot],
    kinds: tuple[Kind, ...],
    rng: np.random.Generator,
) -> Tensor:
    prompts = [with_loose_end(shipped_prompts().label, rng) for _ in shots]
    targets = [write_label(shot.scene, draw_question(shot.scene, rng, kinds)) for shot in shots]
    batch = encode_labels(tokenizer, prompts, targets)
    pixels = to_pixel_values(np.stack([shot.pixels for shot in shots]))
    states = model.model.vision_tower(pixels).last_hidden_state
    seen = model.model.multi_modal_projector(states)
    words = model.get_input_embeddings()(batch["input_ids"])
    # The image token stands second, after the begin token, in every row.
    embeds = torch.cat([words[:, :1], seen, words[:, 2:]], dim=1)
    extra = torch.ones(len(shots), IMAGE_TOKENS - 1, dtype=torch.long)
    hidden = model.model.language_model(
        inputs_embeds=embeds, attention_mask=torch.cat([extra, batch["attention_mask"]], dim=1)
    ).last_hidden_state
    logits = model.lm_head(hidden[:, IMAGE_TOKENS - 1 :])
    return weighted_loss(logits, batch["labels"], batch["weights"])


def picture_processor() -> CLIPImageProcessorPil:
    return CLIPImageProcessorPil(
        size={"height": PICTURE_PX, "width": PICTURE_PX},
        do_center_crop=False,
        image_mean=[IMAGE_MEAN] * 3,
        image_std=[IMAGE_STD] * 3,
    )


def new_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    return LlavaProcessor(
        picture_processor(),
        tokenizer,
        patch_size=PATCH_PX,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=1,
        image_token=IMAGE,
    )


def publish_llava(
    folder: Path, model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Write a half-precision checkpoint with its processor, whole or not at all."""
    processor = new_processor(tokenizer)
    half = copy.deepcopy(model).half().eval()
    generation = half.generation_config
    generation.max_new_tokens, generation.max_length = MAX_NEW_TOKENS, None
    generation.pad_token_id, generation.eos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    generation.bos_token_id = tokenizer.bos_token_id

    def write(place: Path) -> None:
        half.save_pretrained(place)
        processor.save_pretrained(place)
        shorten_tokenizer(place)

    publish_folder(folder, write)
    say(f"published {folder}")
