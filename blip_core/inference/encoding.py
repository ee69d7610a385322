"""Pictures encoded once: vision tower and, where it does not read what is asked, Q-Former."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from blip_core.inference.batching import windows, work_in_batches
from blip_core.inference.counting import InferenceCounts
from blip_core.modeling.at_once import CPU_PICTURES
from blip_core.modeling.features import (
    VISION_TOWER,
    VisionStates,
    add_all,
    decode_picture,
    distinct_pictures,
    picture_part,
    vision_states,
)
from blip_core.modeling.finite import finite_rows, refuse_rows
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.multiplying import quick_linears
from blip_core.records import Example

Features = Mapping[str, Tensor]


class PictureEncoder:
    """What every question about the pictures at hand shares: each is encoded once while it is at hand.

    Args:
        bundle: the model.
        batch_size: pictures encoded at once.
        counts: told of pictures and of passes through the vision tower.
        states: where outputs of the vision tower are kept, if anywhere; without it they are not kept.
    """

    def __init__(
        self,
        bundle: Blip2Bundle,
        batch_size: int,
        counts: InferenceCounts,
        states: VisionStates | None = None,
    ) -> None:
        self._bundle = bundle
        self._batch_size = batch_size
        self._counts = counts
        self._states = states
        self._features: dict[str, Tensor] = {}

    def features_of(self, examples: Sequence[Example]) -> Features:
        """Each picture's part, see `picture_part`, by its key, on the model's device.

        Those of earlier examples are forgotten.

        Raises:
            TableError: A picture cannot be read.
            NotANumber: What the model makes of a picture is none.
        """
        found = distinct_pictures(examples)
        self._features = {key: one for key, one in self._features.items() if key in found}
        fresh = [(key, example) for key, example in found.items() if key not in self._features]
        self._counts.pictures += len(fresh)
        if self._states is not None:
            self._fill(self._states, [example for _, example in fresh])
        with quick_linears(self._bundle.model):
            work_in_batches(windows(fresh, self._at_once), self._encode, self._counts)
        return self._features

    @property
    def _at_once(self) -> int:
        on_cpu = self._bundle.device.type == "cpu"
        return min(self._batch_size, CPU_PICTURES) if on_cpu else self._batch_size

    def _fill(self, states: VisionStates, examples: Sequence[Example]) -> None:
        before = states.forwards
        add_all(states, examples)
        self._counts.vision_forwards += states.forwards - before

    @torch.inference_mode()
    def _encode(self, batch: Sequence[tuple[str, Example]]) -> None:
        states = self._states_of(batch)
        encoded = picture_part(self._bundle, states)
        are_finite = finite_rows(encoded)
        if not bool(are_finite.all()):
            names = [example.id for _, example in batch]
            refuse_rows(finite_rows(states), names, VISION_TOWER)
            refuse_rows(are_finite, names, "the Q-Former")
        self._features.update({key: one.clone() for (key, _), one in zip(batch, encoded, strict=True)})

    def _states_of(self, batch: Sequence[tuple[str, Example]]) -> Tensor:
        if self._states is not None:
            kept = self._states.stack([key for key, _ in batch])
            return kept.to(self._bundle.device, self._bundle.blip2.vision_model.dtype)
        states = vision_states(self._bundle, [decode_picture(example) for _, example in batch])
        self._counts.vision_forwards += len(batch)
        return states
