"""A language model that has read prompts and is ready to write, for every family.

T5 reads with its encoder and starts the decoder; all others read with the decoder. Either way one pass gives
the logits of the answer's first position, and what was read serves ranking, scoring and writing after it.
B: rows, L: tokens of the prompt, T: tokens that are added, V: vocabulary.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from blip_core.inference.batching import MIN_LENGTH_SHARE
from blip_core.inference.causal_reading import CausalReader
from blip_core.inference.opt_reading import OptReader
from blip_core.inference.t5_reading import T5Reader
from blip_core.modeling.loading import Blip2Bundle

UNLIKE_LENGTH_SHARE = 0.5
"""Where reading computes no pads, they cost attention over the prompt alone; to write for many rows at once
saves far more."""


class Reader(Protocol):
    """Prompts that a language model has read.

    Attributes:
        first_logits: (B, V) of the first position to be written.
        places: that were computed to read the prompts, pads among them.
    """

    first_logits: Tensor
    places: int

    def step(self, tokens: Tensor) -> Tensor:
        """Add tokens (B, T) to every row: logits (B, T, V) of the positions after them."""

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""

    def branch(self, times: Sequence[int]) -> "Reader":
        """A reader with each row repeated so often, for candidates after it; this one stays as it is."""

    def generation_inputs(self) -> dict[str, Any]:
        """What `generate` of the language model needs to write after the prompts."""


def min_length_share(bundle: Blip2Bundle) -> float:
    """How unlike the lengths of prompts may be that are read together; see `length_batches`.

    A T5 on a CPU computes no pads to read, see `encode_rows`.
    """
    if bundle.family == "t5" and bundle.device.type == "cpu":
        return UNLIKE_LENGTH_SHARE
    return MIN_LENGTH_SHARE


def read_prompts(bundle: Blip2Bundle, embeddings: Tensor, attention_mask: Tensor, room: int) -> Reader:
    """Read prompts.

    Args:
        bundle: the model.
        embeddings: (B, L, D), padded on the side that suits the family.
        attention_mask: (B, L), 0 on pads.
        room: most tokens that will be added.
    """
    language_model = bundle.blip2.language_model
    if bundle.family == "opt":
        return OptReader(language_model, embeddings, attention_mask, room)
    if bundle.is_causal:
        return CausalReader(language_model, embeddings, attention_mask)
    return T5Reader(language_model, embeddings, attention_mask, room)
