"""The vision tower itself: whether its outputs may be kept, what they take, and how it leaves memory.

BLIP-2's tower is a ViT-g of one billion weights that nobody tunes (Li et al., arXiv 2301.12597).
"""

from typing import Any

import torch
from accelerate.hooks import remove_hook_from_module
from torch import nn

from blip_core.errors import RecipeError, StageFailure
from blip_core.modeling.adapter_targets import tunes_vision_tower
from blip_core.modeling.loading import Blip2Bundle

_KEPT = (
    "kept features are those of the untuned tower, but an adapter sits on vision_model; set "
    "finetune.features to fresh, or take vision_model out of finetune.adapter"
)


class ReleasedTower(nn.Module):
    """Stands where a vision tower was: knows its type and runs nothing."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse.

        Raises:
            StageFailure: Always.
        """
        del args, kwargs
        raise StageFailure(
            "the vision tower has left memory, because training works on kept features: pictures must be "
            "encoded before it is released; to encode others, load the model again"
        )


def release_vision_tower(bundle: Blip2Bundle) -> int:
    """Let a vision tower's weights leave memory, in place; all that needs pixels must have run before.

    Adapters are attached, saved and loaded as before, and `dtype_manifest` shows what is left. Where it was
    released already, nothing changes. On a CPU, weights in the checkpoint's own type are pages of its file:
    the system takes them back when it needs room, and counts them as the process's until then.

    Returns:
        Bytes that its weights took.

    Raises:
        RecipeError: An adapter sits on it.
    """
    if tunes_vision_tower(bundle.model):
        raise RecipeError(f"the vision tower cannot leave memory: {_KEPT}")
    tower = bundle.blip2.vision_model
    tensors = [*tower.parameters(), *tower.buffers()]
    freed: int = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    bundle.blip2.vision_model = ReleasedTower(tower.dtype)
    remove_hook_from_module(tower, recurse=True)  # they refer in circles
    del tower, tensors
    if bundle.device.type == "cuda":
        torch.cuda.empty_cache()
    return freed


def tower_parameters(bundle: Blip2Bundle) -> int:
    """Weights of the vision tower; 0 once it is released."""
    return sum(parameter.numel() for parameter in bundle.blip2.vision_model.parameters())


def refuse_tuned_tower(bundle: Blip2Bundle) -> None:
    """Make sure that states may be kept for others.

    Raises:
        RecipeError: The vision tower carries an adapter.
    """
    if tunes_vision_tower(bundle.model):
        raise RecipeError(_KEPT)


def refuse_training_tower(bundle: Blip2Bundle) -> None:
    """Make sure that states may be kept as long as this process lives.

    Raises:
        RecipeError: The vision tower is being trained.
    """
    if is_trained(bundle):
        raise RecipeError(_KEPT)


def is_trained(bundle: Blip2Bundle) -> bool:
    """Whether gradients are asked of the vision tower."""
    return any(parameter.requires_grad for parameter in bundle.blip2.vision_model.parameters())


def feature_bytes(config: Any, pictures: int, dtype: str) -> int:
    """Bytes that the kept features of so many distinct pictures take, from a `Blip2Config` alone.

    Args:
        config: of the model.
        pictures: distinct ones.
        dtype: the tower's type, as a recipe names it; a picture of the real BLIP-2 takes 0.72 MB in bfloat16.
    """
    vision = config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2 + 1  # one more for the class token
    itemsize = getattr(torch, dtype).itemsize
    return int(pictures * patches * vision.hidden_size * itemsize)
