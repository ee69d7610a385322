"""From a picture to what the language model sees of it, in two halves.

The vision tower is frozen and runs once per distinct picture; the Q-Former may be tuned and runs on
what is kept. It does not see the text, so one encoding serves every question about a picture.
B: pictures, P: patches + 1, V: vision width, Q: image tokens, D: language width.
"""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from PIL import Image
from torch import Tensor

from blip_core import curation
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import TokenBatch
from blip_core.records import Example


def picture_key(image: bytes) -> str:
    """Equal for equal encoded bytes, whatever example they come with."""
    return hashlib.sha256(image).hexdigest()


def decode_picture(example: Example) -> Image.Image:
    """RGB picture of an example.

    Raises:
        TableError: Its bytes are no picture, or cut short, see `curation.decode_picture`.
    """
    return curation.decode_picture(example.image, f"the picture of example {example.id!r}")


def distinct_pictures(examples: Iterable[Example]) -> dict[str, Example]:
    """The first example of each distinct picture, by the picture's key."""
    found: dict[str, Example] = {}
    for example in examples:
        found.setdefault(picture_key(example.image), example)
    return found


def pixel_values(bundle: Blip2Bundle, pictures: Sequence[Image.Image]) -> Tensor:
    """(B, 3, height, width) on the model's device, in the vision tower's type."""
    values = bundle.processor.image_processor(list(pictures), return_tensors="pt")["pixel_values"]
    return torch.as_tensor(values).to(bundle.device, bundle.blip2.vision_model.dtype)


@torch.no_grad()
def vision_states(bundle: Blip2Bundle, pictures: Sequence[Image.Image]) -> Tensor:
    """Run the frozen vision tower: (B, P, V)."""
    tower = bundle.blip2.vision_model
    was_training = tower.training
    tower.eval()
    states: Tensor = tower(pixel_values=pixel_values(bundle, pictures)).last_hidden_state
    tower.train(was_training)
    return states


def image_features(bundle: Blip2Bundle, states: Tensor) -> Tensor:
    """Run Q-Former and projection on vision states: (B, P, V) -> (B, Q, D); gradients flow."""
    blip2 = bundle.blip2
    outputs = blip2.qformer(
        query_embeds=blip2.query_tokens.expand(len(states), -1, -1),
        encoder_hidden_states=states,
        encoder_attention_mask=torch.ones(states.shape[:-1], dtype=torch.long, device=states.device),
    )
    projected: Tensor = blip2.language_projection(outputs.last_hidden_state.to(states.dtype))
    return projected


def prompt_embeddings(bundle: Blip2Bundle, prompts: TokenBatch, features: Tensor) -> Tensor:
    """Text embeddings with the picture's features in the places of the image tokens: (B, L, D).

    Args:
        bundle: the model.
        prompts: rows with Q image tokens each.
        features: (B, Q, D), one a row.
    """
    embeddings = bundle.blip2.get_input_embeddings()(prompts.input_ids)
    places = (prompts.input_ids == bundle.image_token_id).unsqueeze(-1)
    filled: Tensor = embeddings.masked_scatter(places, features.to(embeddings.dtype))
    return filled


class VisionCache:
    """Vision states of distinct pictures, computed once and kept in main memory.

    One picture of the real BLIP-2 takes 257 x 1408 values, 0.7 MB in bfloat16.
    """

    def __init__(self, bundle: Blip2Bundle, batch_size: int) -> None:
        self._bundle = bundle
        self._batch_size = batch_size
        self._states: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._states)

    def add(self, examples: Iterable[Example]) -> None:
        """Encode the pictures of examples that are not kept yet.

        Raises:
            TableError: A picture cannot be read.
        """
        found = distinct_pictures(examples)
        fresh = [(key, example) for key, example in found.items() if key not in self._states]
        for start in range(0, len(fresh), self._batch_size):
            batch = fresh[start : start + self._batch_size]
            states = vision_states(self._bundle, [decode_picture(example) for _, example in batch]).cpu()
            self._states.update({key: one.clone() for (key, _), one in zip(batch, states, strict=True)})

    def stack(self, keys: Sequence[str]) -> Tensor:
        """(B, P, V) in main memory, one a key."""
        return torch.stack([self._states[key] for key in keys])
