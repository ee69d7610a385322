"""BLIP-2 with random weights, of any size: in memory, or as a checkpoint that is never held whole.

`python -m tests.benchmarks.random_blip2 flan-t5-xl FOLDER` leaves a folder that loads as the published one
does, so that a machine which reaches no hub measures the real shapes. `make_random_blip2` gives what loading
that folder would, in seconds, where only memory is at hand. What such models say means nothing.

Weights are normal with a standard deviation of one over the root of what a unit reads, so that activations
stay near 1 through all layers; T5 does not scale its attention, hence its smaller queries. Random texts
hardly ever end by themselves. Where they should, the end token's row in the head is enlarged.
"""

import hashlib
import json
import re
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice, product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import Blip2Processor, PreTrainedTokenizerFast
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from blip_core.modeling import Blip2Bundle
from blip_core.modeling.architecture import meta_blip2
from blip_core.modeling.backbones import Blip2, Family
from blip_core.modeling.manifest import assert_manifest
from blip_core.modeling.quantisation import (
    Quantisation,
    keep_weights_unpacked,
    quantisation_config,
    quieten_int8,
)
from tests.benchmarks.drawn import drawn
from tests.benchmarks.questions import sentences
from tests.benchmarks.shapes import SHAPES, Shape

SHARD_BYTES = 2_000_000_000

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_HEADS = ("language_model.lm_head.weight", "language_model.model.decoder.embed_tokens.weight")
_SPECIAL_TOKENS = ("<pad>", "</s>", "<image>")
_PAD, _END, _IMAGE = range(3)
_SPACE = "▁"
_WORD_SCORE, _LETTER_SCORE = -10.0, -20.0  # log-probabilities: a word is read as a word, not letter by letter


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of a checkpoint, by its name there."""

    name: str
    shape: tuple[int, ...]
    std: float
    mean: float = 0.0

    @property
    def numel(self) -> int:
        return torch.Size(self.shape).numel()


def save_random_blip2(
    shape: Shape,
    folder: Path,
    *,
    dropout: float = 0.1,
    end_scale: float = 1.0,
    seed: int = 0,
    device: str = "cpu",
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write a random BLIP-2 as `save_pretrained` would; the most that is held is one shard.

    Args:
        shape: its size.
        folder: where to; made if need be.
        dropout: of language model and Q-Former while training; the published ones have 0.1.
        end_scale: of the end token's row in the head; with 2, texts end after some tens of tokens.
        seed: of the weights.
        device: where they are drawn; each kind of device draws others.
        shard_bytes: largest file, unless a single tensor is larger.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = prepared_config(shape, dropout)
    _processor(config, shape.family).save_pretrained(folder)
    config.save_pretrained(folder)
    draw = partial(_draw, seed=seed, device=torch.device(device), end_scale=end_scale)
    _save_shards(planned_weights(config), draw, _DTYPES[shape.dtype], folder, shard_bytes)
    return folder


def make_random_blip2(
    shape: Shape,
    quantisation: Quantisation = "none",
    device: str = "cpu",
    dtype: str = "float32",
    *,
    dropout: float = 0.1,
    seed: int = 0,
) -> Blip2Bundle:
    """What loading the checkpoint of `save_random_blip2` gives, without a file: drawn where it will be used.

    It takes the loader's own way through transformers, which asks for one weight after the other and
    quantises it before the next, so that the most that is held besides the model is one weight.
    """
    config = prepared_config(shape, dropout)
    draw = partial(_draw, seed=seed, device=torch.device(device), end_scale=1.0)
    stored = _DTYPES[shape.dtype]
    weights = {weight.name: partial(draw, weight) for weight in planned_weights(config)}
    model = drawn(
        Blip2,
        config,
        {name: lambda one=one: one().to(stored) for name, one in weights.items()},
        _DTYPES[dtype],
        device,
        quantization_config=quantisation_config(quantisation),
    )
    keep_weights_unpacked(model)
    quieten_int8()
    processor = _processor(config, shape.family)
    processor.tokenizer.padding_side = "right" if shape.family == "t5" else "left"
    manifest = assert_manifest(model, quantisation, dtype)
    return Blip2Bundle(model.eval().requires_grad_(False), processor, shape.family, manifest, quantisation)


def planned_weights(config: Any) -> list[Weight]:
    """Every tensor that a checkpoint of a config stores."""
    model = meta_blip2(config)
    stored = {name for name, _ in model.named_parameters()}
    if config.text_config.model_type == "t5" and not config.text_config.scale_decoder_outputs:
        stored.add("language_model.lm_head.weight")  # tied on `meta` until a checkpoint brings one
    tensors = model.state_dict()
    return [_weight(name, tuple(value.shape), config) for name, value in tensors.items() if name in stored]


def _weight(name: str, shape: tuple[int, ...], config: Any) -> Weight:
    if name.endswith(".bias"):
        return Weight(name, shape, std=0.0)
    if len(shape) == 1:
        return Weight(name, shape, std=0.0, mean=1.0)  # a norm's scale
    return Weight(name, shape, _std(name, shape, config))


def _std(name: str, shape: tuple[int, ...], config: Any) -> float:
    if name == "query_tokens":
        return 0.5
    if name.endswith(("class_embedding", "position_embedding")):
        return 0.1
    if name.endswith("language_model.shared.weight"):
        return 1.0  # T5 adds its layers to embeddings of this size
    if name.endswith(("SelfAttention.q.weight", "EncDecAttention.q.weight")):
        return float((config.text_config.d_model * config.text_config.d_kv) ** -0.5)
    return float(torch.Size(shape[1:]).numel() ** -0.5)


def prepared_config(shape: Shape, dropout: float = 0.1) -> Any:
    """The config of a shape, with the tokens of our tokenizer."""
    config = shape.config()
    config.architectures = ["Blip2ForConditionalGeneration"]
    config.image_token_index = _IMAGE
    config.qformer_config.hidden_dropout_prob = dropout
    config.qformer_config.attention_probs_dropout_prob = dropout
    text = config.text_config
    text.pad_token_id, text.eos_token_id = _PAD, _END
    if shape.family == "t5":
        text.dropout_rate, text.decoder_start_token_id = dropout, _PAD
    else:
        text.dropout, text.bos_token_id = dropout, _END
    return config


def _processor(config: Any, family: Family) -> Any:
    side = config.vision_config.image_size
    pictures = BlipImageProcessorPil(size={"height": side, "width": side})
    tokenizer = make_tokenizer(sentences(), family, config.text_config.vocab_size)
    return Blip2Processor(pictures, tokenizer, num_query_tokens=config.num_query_tokens)


def make_tokenizer(texts: Sequence[str], family: Family, vocabulary: int) -> Any:
    """A token for every word of some texts, and made-up words up to the vocabulary of the model.

    So whatever a model writes reads back as the same number of tokens. Like T5's own, it is a unigram model
    and takes a new line for a space; T5 ends its texts with </s>, OPT begins them with it.
    """
    pieces = dict.fromkeys(string.printable.strip() + _SPACE, _LETTER_SCORE)
    pieces |= dict.fromkeys(islice(chain(_words(texts), _made_up_words()), vocabulary), _WORD_SCORE)
    special = [(token, 0.0) for token in _SPECIAL_TOKENS]
    tokenizer = Tokenizer(
        models.Unigram([*special, *list(pieces.items())[: vocabulary - len(special)]], _PAD)
    )
    tokenizer.normalizer = normalizers.Replace("\n", " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    template = "$A </s>" if family == "t5" else "</s> $A"
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[("</s>", _END)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")
    wrapped.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return wrapped


def _words(texts: Sequence[str]) -> Iterator[str]:
    return (_SPACE + word for text in texts for word in re.findall(r"\w+", text))


def _made_up_words() -> Iterator[str]:
    """Without end: ba, be, ..., baba, babe, ..."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    return (_SPACE + "".join(parts) for length in count(1) for parts in product(syllables, repeat=length))


def _save_shards(
    weights: Sequence[Weight],
    draw: Callable[[Weight], torch.Tensor],
    dtype: torch.dtype,
    folder: Path,
    shard_bytes: int,
) -> None:
    shards = list(_shards(weights, dtype.itemsize, shard_bytes))
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {weight.name: draw(weight).to("cpu", dtype) for weight in shard}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, file)
    size = sum(weight.numel for weight in weights) * dtype.itemsize
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")


def _shards(weights: Sequence[Weight], itemsize: int, shard_bytes: int) -> Iterator[list[Weight]]:
    shard: list[Weight] = []
    size = 0
    for weight in weights:
        if shard and size + weight.numel * itemsize > shard_bytes:
            yield shard
            shard, size = [], 0
        shard.append(weight)
        size += weight.numel * itemsize
    yield shard


def _draw(weight: Weight, seed: int, device: torch.device, end_scale: float) -> torch.Tensor:
    """A weight's values, float32: they depend on its name and the seed, not on its neighbours."""
    generator = torch.Generator(device).manual_seed(_seed_of(weight.name, seed))
    values = torch.empty(weight.shape, device=device).normal_(generator=generator)
    values.mul_(weight.std).add_(weight.mean)
    if weight.name in _HEADS:
        values[_END] *= end_scale
    return values


def _seed_of(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7], "big")


def main(size: str, folder: str) -> None:
    """Write a checkpoint of a named size, on the GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    save_random_blip2(SHAPES[size], Path(folder), device=device)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        sys.exit(f"usage: python -m tests.benchmarks.random_blip2 {{{','.join(SHAPES)}}} FOLDER")
    main(*sys.argv[1:])
