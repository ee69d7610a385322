"""Byte-level tokenizers of the pocket family: any text can be encoded, and newlines come back exactly.

Every member shares one vocabulary trained on the pocket language. The fixed lines of the shipped
prompts are single tokens, which keeps sequences short enough to train on a laptop core.
"""

import json
import re
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from blip_core import strict_json
from blip_core.pocket.language import ask_any, caption, describe, plural, tell_scene
from blip_core.pocket.prompts import answer_prompt, scenes_prompt, shipped_prompts
from blip_core.pocket.world import CATEGORIES, OBJECT_NAMES, Split, Style, draw_scene

VOCABULARY = 700
PAD, BOS, EOS, UNKNOWN, IMAGE = "<pad>", "<s>", "</s>", "<unk>", "<image>"
CHAT_START, CHAT_END = "<|im_start|>", "<|im_end|>"
SPECIALS = (PAD, BOS, EOS, UNKNOWN, IMAGE, CHAT_START, CHAT_END)
_CORPUS_SCENES = 3000

SENTENCE_VOCABULARY = 900
# CLIP takes an end token of id 2 for an old mistake in its settings and looks for the highest id instead.
SENTENCE_SPECIALS = (PAD, BOS, UNKNOWN, EOS, IMAGE)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Ids of padding, beginning and end, as the config of a language model names them."""
    pad, bos, eos = tokenizer.convert_tokens_to_ids([PAD, BOS, EOS])
    return {"pad_token_id": pad, "bos_token_id": bos, "eos_token_id": eos}


def fixed_lines() -> list[str]:
    """What the shipped prompts hold between their fields, cut at line ends, longest first."""
    prompts = shipped_prompts()
    scenes = [scenes_prompt(category) for category in CATEGORIES]
    templates = [prompts.label.removeprefix(IMAGE), prompts.describe, prompts.answer, *scenes]
    pieces = {
        piece.rstrip(" ")
        for template in templates
        for part in re.split(r"\{\w+\}", template)
        for piece in re.split(r"(?<=\n)(?=[^\n])", part)
    }
    pieces |= {"\nA.", "\nB.", "\nC.", "\nD.", "\nQuestion:", "\n\nQuestion:", "\n\nAnswer:", "Description:"}
    pieces |= {f"\n{number}." for number in range(2, 6)}
    return sorted((piece for piece in pieces if len(piece) > 2), key=lambda piece: (-len(piece), piece))


def build_tokenizer(seed: int = 0) -> Tokenizer:
    """Train the shared vocabulary; the same seed gives the same tokenizer."""
    tokenizer = _byte_pairs(_corpus(seed), VOCABULARY, SPECIALS)
    tokenizer.add_tokens([AddedToken(line, normalized=False, special=False) for line in fixed_lines()])
    return tokenizer


def build_sentence_tokenizer(texts: list[str]) -> Tokenizer:
    """The vocabulary of the members that speak the sentences of more recipes, trained on `texts`."""
    return _byte_pairs(texts, SENTENCE_VOCABULARY, SENTENCE_SPECIALS)


def _byte_pairs(texts: list[str], size: int, specials: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _corpus(seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    texts = [f" {name} {plural(name)} {plural(name)} {name}" for name in OBJECT_NAMES for _ in range(60)]
    for _ in range(_CORPUS_SCENES):
        scene = draw_scene(rng, Style.SHIFTED, Split.TRAIN)
        question = ask_any(scene, rng)
        texts += [tell_scene(scene, rng), describe(scene), caption(scene, rng)]
        texts.append(answer_prompt(question, describe(scene)))
    return texts


def framed_tokenizer(tokenizer: Tokenizer, length: int) -> PreTrainedTokenizerFast:
    """For encoders of text (CLIP, matching, reading): begin and end tokens around, an end token between two.

    Args:
        tokenizer: a vocabulary.
        length: the most tokens that the model has positions for.
    """
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} $B:1 {EOS}:1",
        special_tokens=[(BOS, copy.token_to_id(BOS)), (EOS, copy.token_to_id(EOS))],
    )
    framed = _wrapped(
        copy,
        padding_side="right",
        bos_token=BOS,
        eos_token=EOS,
        cls_token=BOS,
        sep_token=EOS,
        extra_special_tokens={"image_token": IMAGE},
    )
    framed.model_max_length = length
    return framed


def seq2seq_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """For T5: the end token is appended, pads stand right."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", special_tokens=[(EOS, copy.token_to_id(EOS))]
    )
    return _wrapped(copy, padding_side="right", eos_token=EOS)


def opt_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """For OPT: a begin token in front, pads stand left."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, copy.token_to_id(BOS))]
    )
    return _wrapped(copy, padding_side="left", bos_token=BOS, eos_token=EOS)


def llava_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """For LLaVA: a begin token in front, pads stand left, and the image token known by name."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, copy.token_to_id(BOS))]
    )
    named = {"image_token": IMAGE}
    return _wrapped(copy, padding_side="left", bos_token=BOS, eos_token=EOS, extra_special_tokens=named)


def chat_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """For the scene writer: chat template, pads stand left."""
    wrapped = _wrapped(tokenizer, padding_side="left", bos_token=None, eos_token=CHAT_END)
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def _wrapped(tokenizer: Tokenizer, padding_side: str, **specials: object) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side=padding_side,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        **specials,
    )


def shorten_tokenizer(folder: Path) -> None:
    """Write the `tokenizer.json` of a checkpoint without line breaks: half its size, the same tokenizer."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(strict_json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
