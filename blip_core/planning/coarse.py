"""What a model takes that is not traced in detail: weights from its config, all else bounded from above.

Weights are exact, since the model is built from its config on the `meta` device. Beside them lie the cache of
keys and values, which is as long as prompt and answer, and the largest layer of the prompt's pass, attention
written out in full. Models that share or window their caches take less. Time is not told.
"""

import math
from typing import Any

from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from blip_core.errors import CheckpointError
from blip_core.planning.architectures import is_image_text
from blip_core.planning.footprint import Footprint, parameter_bytes
from blip_core.planning.generating import Texts
from blip_core.planning.meta_blip2 import DTYPES, META

NOT_TRACEABLE = (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError, LookupError)
"""What a model's own code raises on tensors without memory, or on a cache that is made otherwise."""

_HIDDEN_COPIES = (
    8  # of a layer's input that are alive at once: residual, norm, query, key, value, output, two sums
)
_GATED_COPIES = 3  # of a feed-forward block's inside: gate, up, product
_FLOAT32_BYTES = 4
_SCORE_COPIES = 3  # of the logits that are drawn from: as they come, in float32, sorted
_TILES = 5  # of a large picture and the whole of it, as LLaVA-NeXT cuts it
_TILED = ("image_grid_pinpoints", "max_dynamic_patch", "max_num_tiles")
_TOKENS_OF_A_PICTURE = ("image_seq_length", "mm_tokens_per_image")
_SIDES = (("hidden_size", "d_model", "n_embd"), ("intermediate_size", "d_ff", "ffn_dim", "n_inner"))
_PATCH_PX = 14  # where a config does not say: of most towers


def bound(config: Any, dtype: str, texts: Texts, picture_px: int = 0) -> Footprint:
    """At the most what a batch of a language model takes, with a picture a row where a size is given.

    Args:
        config: of transformers.
        dtype: that weights are loaded in.
        texts: prompts with their pictures' tokens, and answers.
        picture_px: side of the largest picture; 0, texts are written without any.

    Raises:
        CheckpointError: No model can be built from the config.
    """
    element = DTYPES[dtype].itemsize
    text = config.get_text_config(decoder=True)
    hidden, inside = (_first(text, names) for names in _SIDES)
    inside = inside or 4 * hidden
    heads = _first(text, ("num_attention_heads", "n_head"))
    tokens = texts.rows * texts.prompt_tokens
    layer = tokens * (_HIDDEN_COPIES * hidden + _GATED_COPIES * inside) * element
    attention = texts.rows * heads * texts.prompt_tokens**2 * element
    drawn = texts.rows * text.vocab_size * _SCORE_COPIES * _FLOAT32_BYTES
    seen = _tower(config, texts.rows, picture_px, element) if picture_px else 0
    working = _cache(text, texts, hidden, heads, element) + max(layer + attention + drawn, seen)
    weights = parameter_bytes([_on_meta(config, dtype)])
    return Footprint(weights, 0, working, is_coarse=True)


def picture_tokens_bound(config: Any, picture_px: int) -> int:
    """At the most how many tokens a picture takes in a prompt."""
    for name in _TOKENS_OF_A_PICTURE:
        said = getattr(config, name, None)
        if isinstance(said, int) and said > 0:
            return said * _tiles(config)
    return _patches(config, picture_px) * _tiles(config)


def _on_meta(config: Any, dtype: str) -> nn.Module:
    kind = AutoModelForImageTextToText if is_image_text(config) else AutoModelForCausalLM
    try:
        with META:
            model: nn.Module = kind.from_config(config)
    except NOT_TRACEABLE as error:
        raise CheckpointError(
            f"no model can be built from the config of {config.model_type!r}: {error}"
        ) from error
    return model.to(DTYPES[dtype])


def _cache(text: Any, texts: Texts, hidden: int, heads: int, element: int) -> int:
    keys = getattr(text, "num_key_value_heads", None) or heads
    width = getattr(text, "head_dim", None) or hidden // heads
    layers = _first(text, ("num_hidden_layers", "n_layer", "num_layers"))
    whole = texts.rows * (texts.prompt_tokens + texts.new_tokens)
    return 2 * layers * int(keys) * int(width) * whole * element


def _tower(config: Any, rows: int, picture_px: int, element: int) -> int:
    """A layer of the tower over all patches of all pictures, attention written out."""
    vision = getattr(config, "vision_config", None)
    if vision is None:
        return 0
    hidden, inside = (_first(vision, names) for names in _SIDES)
    heads = _first(vision, ("num_attention_heads", "num_heads")) or 1
    pictures, patches = rows * _tiles(config), _patches(config, picture_px)
    layer = pictures * patches * (_HIDDEN_COPIES * hidden + _GATED_COPIES * (inside or 4 * hidden))
    return (layer + pictures * heads * patches**2) * element


def _patches(config: Any, picture_px: int) -> int:
    vision = getattr(config, "vision_config", None)
    side = _first(vision, ("image_size",)) or picture_px
    return math.ceil(side / (_first(vision, ("patch_size",)) or _PATCH_PX)) ** 2


def _tiles(config: Any) -> int:
    return _TILES if any(getattr(config, name, None) for name in _TILED) else 1


def _first(config: Any, names: tuple[str, ...]) -> int:
    """The first of several names that a config has; of sides in pixels the larger; 0 where it has none."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, (list, tuple)) and value:
            value = max(value)
        if isinstance(value, int) and value:
            return value
    return 0
