"""From a picture to what the language model sees of it, in two halves.

The vision tower is frozen and runs once per distinct picture; the Q-Former may be tuned and runs on
what is kept. That of a BLIP-2 does not see the text, so one encoding serves every question about a picture.

The cut is always before the Q-Former: a tuned one changes with every step, and that of an InstructBLIP
reads the instruction, so that its outputs belong to a question and not to a picture.
B: pictures, P: patches + 1, V: vision width, Q: image tokens, D: language width, I: tokens of an instruction.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from blip_core import images
from blip_core.errors import TableError
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.modeling.text import TokenBatch
from blip_core.modeling.vision_tower import refuse_training_tower
from blip_core.records import Example, Rejection

UNREADABLE = "unreadable-picture"
VISION_TOWER = "the vision tower"  # the part that gave states, as an error names it
_STAGE = "finetune"
_PIXEL_DIMENSIONS = 4  # B, channels, height, width; states have three


def picture_key(image: bytes) -> str:
    """Equal for equal encoded bytes, whatever example they come with."""
    return hashlib.sha256(image).hexdigest()


def decode_picture(example: Example) -> Image.Image:
    """RGB picture of an example.

    Raises:
        TableError: Its bytes are no picture, or cut short, see `images.decode_picture`.
    """
    return images.decode_picture(example.image, f"the picture of example {example.id!r}")


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
    return untrained_states(bundle, pixel_values(bundle, pictures))


@torch.no_grad()
def untrained_states(bundle: Blip2Bundle, pixels: Tensor) -> Tensor:
    """Run the vision tower as at inference, whatever mode it is in: (B, 3, height, width) -> (B, P, V)."""
    tower = bundle.blip2.vision_model
    was_training = tower.training
    tower.eval()
    with quick_linears(tower):
        states = _run_tower(bundle, pixels)
    tower.train(was_training)
    return states


def _run_tower(bundle: Blip2Bundle, pixels: Tensor) -> Tensor:
    states: Tensor = bundle.blip2.vision_model(pixel_values=pixels).last_hidden_state
    return states


def image_features(bundle: Blip2Bundle, states: Tensor, instructions: TokenBatch | None = None) -> Tensor:
    """Run Q-Former and projection on vision states: (B, P, V) -> (B, Q, D); gradients flow.

    Pixels (B, 3, height, width), which `FreshVisionStates` gives while an adapter on the vision tower is
    trained, go through the tower first, and gradients flow there, too.

    Args:
        bundle: the model.
        states: of the vision tower, or pixels.
        instructions: (B, I), where the Q-Former reads what is asked.
    """
    blip2 = bundle.blip2
    if states.dim() == _PIXEL_DIMENSIONS:
        states = _run_tower(bundle, states)
    queries = blip2.query_tokens.expand(len(states), -1, -1)
    outputs = blip2.qformer(
        query_embeds=queries,
        encoder_hidden_states=states if instructions is None else states.to(queries.dtype),
        encoder_attention_mask=torch.ones(states.shape[:-1], dtype=torch.long, device=states.device),
        **({} if instructions is None else _behind_queries(queries, instructions.to(states.device))),
    )
    seen = outputs.last_hidden_state[:, : queries.shape[1]]  # what stands behind is the instruction's
    projected: Tensor = blip2.language_projection(seen.to(states.dtype))
    return projected


def _behind_queries(queries: Tensor, instructions: TokenBatch) -> dict[str, Tensor]:
    """What a Q-Former reads beside the picture: the queries see an instruction, and none of its pads."""
    mask = instructions.attention_mask
    whole = mask.new_ones(queries.shape[:2])
    return {"input_ids": instructions.input_ids, "attention_mask": torch.cat([whole, mask], dim=1)}


def picture_part(bundle: Blip2Bundle, states: Tensor) -> Tensor:
    """What vision states (B, P, V) come to before anything is asked about them, to be kept for all questions.

    Returns:
        What the language model sees, (B, Q, D); the states themselves where the Q-Former reads what is asked.
    """
    return states if bundle.backbone.reads_instruction else image_features(bundle, states)


def question_part(bundle: Blip2Bundle, kept: Tensor, instructions: TokenBatch | None) -> Tensor:
    """What the language model sees, (B, Q, D), from a `picture_part` a question."""
    return kept if instructions is None else image_features(bundle, kept, instructions)


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


class VisionStates(Protocol):
    """Where the vision tower's outputs come from."""

    def add(self, examples: Iterable[Example]) -> list[Rejection]:
        """Make the pictures of examples known, so that `stack` can give their states.

        Returns:
            A rejection for each distinct picture that cannot be read, with the id of its first example; such
            pictures are not kept.

        Raises:
            RecipeError: The vision tower carries an adapter, and states would be kept.
            NotANumber: The states of a picture are none; nothing of its batch is kept.
        """

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        """Vision states (B, P, V) in main memory, one a key as `picture_key` gives it.

        Args:
            keys: of pictures that were added; one may come more than once.
            turn: 0 gives the pictures as they are; while training, the number of the step, from 1 on. Where
                pictures are augmented, a turn always changes a picture in the same way, so that a resumed
                run sees what an undisturbed one would. Kept states know no turns.

        Raises:
            KeyError: A picture was not added, or was rejected.
        """

    @property
    def forwards(self) -> int:
        """Pictures that went through the vision tower in this process."""


def add_all(states: VisionStates, examples: Iterable[Example]) -> None:
    """Add pictures of which none may be missing, as where a model answers.

    Raises:
        TableError: A picture cannot be read.
    """
    rejections = states.add(examples)
    if rejections:
        raise TableError(rejections[0].detail)


def readable_pictures(
    examples: Mapping[str, Example],
) -> tuple[dict[str, Image.Image], list[Rejection]]:
    """Decode pictures, given by their keys, and reject those that cannot be."""
    pictures: dict[str, Image.Image] = {}
    rejections = []
    for key, example in examples.items():
        try:
            pictures[key] = decode_picture(example)
        except TableError as error:
            rejections.append(Rejection(example.id, _STAGE, UNREADABLE, str(error)))
    return pictures, rejections


def parted(examples: Mapping[str, Example], size: int) -> list[dict[str, Example]]:
    """Parts of at most so many pictures, in order."""
    items = list(examples.items())
    return [dict(items[start : start + size]) for start in range(0, len(items), size)]


class VisionCache:
    """Vision states of distinct pictures, computed once and kept in main memory.

    One picture of the real BLIP-2 takes 257 x 1408 values, 0.7 MB in bfloat16.
    """

    def __init__(self, bundle: Blip2Bundle, batch_size: int) -> None:
        self._bundle = bundle
        self._batch_size = batch_size
        self._states: dict[str, Tensor] = {}
        self._forwards = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def forwards(self) -> int:
        """See `VisionStates.forwards`."""
        return self._forwards

    def add(self, examples: Iterable[Example]) -> list[Rejection]:
        """Encode the pictures that are not kept yet; see `VisionStates.add`."""
        refuse_training_tower(self._bundle)
        found = distinct_pictures(examples)
        rejections: list[Rejection] = []
        for batch in parted({key: found[key] for key in found if key not in self._states}, self._batch_size):
            pictures, refused = readable_pictures(batch)
            rejections += refused
            if pictures:
                self._keep(pictures, [batch[key].id for key in pictures])
        return rejections

    def _keep(self, pictures: Mapping[str, Image.Image], names: Sequence[str]) -> None:
        states = vision_states(self._bundle, list(pictures.values())).cpu()
        refuse_rows(finite_rows(states), names, VISION_TOWER)
        self._states.update({key: one.clone() for key, one in zip(pictures, states, strict=True)})
        self._forwards += len(pictures)

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        """(B, P, V) in main memory, one a key; see `VisionStates.stack`."""
        del turn  # what is kept is the picture as it is
        return torch.stack([self._states[key] for key in keys])
