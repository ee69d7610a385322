"""Pictures encoded once: vision tower and Q-Former."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from blip_core.modeling.features import decode_picture, distinct_pictures, image_features, vision_states
from blip_core.modeling.loading import Blip2Bundle
from blip_core.records import Example

Features = Mapping[str, Tensor]


@torch.inference_mode()
def encode_pictures(bundle: Blip2Bundle, examples: Sequence[Example], batch_size: int) -> dict[str, Tensor]:
    """Encode each distinct picture of some examples once.

    Returns:
        Features (Q, D) by picture key, on the model's device.

    Raises:
        TableError: A picture cannot be read.
    """
    found = list(distinct_pictures(examples).items())
    features: dict[str, Tensor] = {}
    for start in range(0, len(found), batch_size):
        batch = found[start : start + batch_size]
        states = vision_states(bundle, [decode_picture(example) for _, example in batch])
        encoded = image_features(bundle, states)
        features.update({key: one.clone() for (key, _), one in zip(batch, encoded, strict=True)})
    return features
