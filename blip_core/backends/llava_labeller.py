"""LLaVA behind the port `Labeller`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import release_memory, still_open
from blip_core.backends.sampling import (
    Sampling,
    forget_sampling_defaults,
    generate_texts,
    prepare_tokenizer,
)
from blip_core.errors import RecipeError
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.recipes.checkpoint import Dtype

ARCHITECTURES = ("LlavaForConditionalGeneration",)


class LlavaLabeller:
    """Labels with a LLaVA model. The prompt is used as it is and marks with `<image>` where the picture
    stands.

    Args:
        folder: folder of the checkpoint, safetensors only.
        sampling: how tokens are drawn.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely.
    """

    def __init__(
        self, folder: Path, sampling: Sampling, device: str = "cpu", dtype: Dtype = "float32"
    ) -> None:
        check_checkpoint_folder(folder, ARCHITECTURES)
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self._sampling = sampling
        auto_processor: Any = AutoProcessor
        with loading(folder, "LLaVA"):
            self._processor = auto_processor.from_pretrained(folder, **local)
            model, info = LlavaForConditionalGeneration.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **local
            )
        refuse_missing_weights(folder, info)
        prepare_tokenizer(self._processor.tokenizer)
        _complete_processor(self._processor, model.config)
        forget_sampling_defaults(model, self._processor.tokenizer)
        self._model = model.to(torch.device(device)).eval()

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture under its own seed; see `Labeller`.

        Raises:
            RecipeError: when a prompt does not say once where the picture stands; the model would not see it.
        """
        model = still_open(self._model, self)
        rows = list(zip(pictures, prompts, seeds, strict=True))
        if not rows:
            return []
        mark = self._processor.image_token
        for _, prompt, _ in rows:
            if prompt.count(mark) != 1:
                raise RecipeError(
                    f"labels.prompt must contain {mark} exactly once, where the picture stands."
                )
        images = [picture.convert("RGB") for picture in pictures]
        inputs = self._processor(images=images, text=list(prompts), padding=True, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        inputs = inputs.to(model.device, model.dtype)
        return generate_texts(model, self._processor.tokenizer, inputs, seeds, self._sampling)

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()


def _complete_processor(processor: Any, config: Any) -> None:
    """Tell the processor how many tokens a picture takes, where an older checkpoint's files do not."""
    if processor.patch_size is None:
        processor.patch_size = config.vision_config.patch_size
        processor.num_additional_image_tokens = 1  # the class token of the CLIP tower
    if processor.vision_feature_select_strategy is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
