"""A vision-language model of the transformers library behind the port `Labeller`."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.backends.processors import load_processor
from blip_core.backends.sampling import (
    Sampling,
    forget_sampling_defaults,
    generate_texts,
    prepare_tokenizer,
)
from blip_core.backends.turns import IMAGE_MARK, continued, frame, has_turns, messages_of, template_of
from blip_core.errors import CheckpointError, RecipeError
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.modeling.text import count_tokens
from blip_core.ports import Written
from blip_core.recipes.checkpoint import Dtype

ARCHITECTURES = tuple(sorted(set(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values())))
_ALLOWED = (
    "vision-language models that transformers knows, such as LlavaForConditionalGeneration, "
    "Qwen2_5_VLForConditionalGeneration or Gemma3ForConditionalGeneration; a language model sees no pictures"
)
_REMEDY = "lower labels.max_new_tokens, shorten labels.prompt, or take a smaller labels.model or its float16"
_UNKNOWN = object()
_PLAIN = "llava"  # the one architecture whose checkpoints without a chat template are asked in plain text


class ImageTextLabeller:
    """Labels with any vision-language model that `AutoModelForImageTextToText` knows.

    A prompt marks with `<image>` where the picture stands. Its turns are written by the model's own chat
    template, without thinking where the template can leave it out; thinking that is written nevertheless is
    told apart from the answer. Where the model's turns are those that the prompt writes out, as LLaVA 1.5's
    are, the prompt is used as it is.

    Args:
        folder: folder of the checkpoint, safetensors only.
        sampling: how tokens are drawn.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely, or holds no model that can label.
    """

    def __init__(
        self, folder: Path, sampling: Sampling, device: str = "cpu", dtype: Dtype = "float32"
    ) -> None:
        _check(folder)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self._folder = folder
        self._sampling = sampling
        self._batches = Batches("pictures", _REMEDY)
        with loading(folder, "a vision-language model"):
            config = AutoConfig.from_pretrained(folder, **local)
            self._processor = load_processor(folder, config)
            model, info = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **local
            )
            self._model = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        tokenizer = self._processor.tokenizer
        prepare_tokenizer(tokenizer)
        _complete_processor(self._processor, model.config)
        _check_mark(folder, self._processor, model.config)
        self._template = template_of(self._processor, tokenizer)
        if self._template is None and model.config.model_type != _PLAIN:
            raise CheckpointError(
                f"{folder} holds {type(model).__name__} without a chat template, so that it is not known how "
                "it is asked; take a checkpoint that was tuned on instructions"
            )
        forget_sampling_defaults(model, tokenizer)
        self._takes_types = "token_type_ids" in inspect.signature(model.forward).parameters

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture under its own seed; see `label_with_confidence`."""
        return [one.text for one in self.label_with_confidence(pictures, prompts, seeds)]

    def label_with_confidence(
        self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        """Answer each prompt about its picture under its own seed; see `Labeller` and `Confident`.

        Raises:
            RecipeError: when a prompt does not say once where the picture stands; the model would not see it.
            CheckpointError: when the chat template refuses the prompt, or leaves the picture out.
        """
        still_open(self._model, self)
        return self._batches.work(self._label, pictures, [self._framed(prompt) for prompt in prompts], seeds)

    def _label(self, pictures: Sequence[Image], texts: Sequence[str], seeds: Sequence[int]) -> list[Written]:
        model = still_open(self._model, self)
        inputs = self._processor(
            images=[[picture.convert("RGB")] for picture in pictures],
            text=list(texts),
            padding=True,
            return_tensors="pt",
            add_special_tokens=not self._begins(texts[0]),
        )
        if not self._takes_types:
            inputs.pop("token_type_ids", None)
        inputs = inputs.to(model.device, model.dtype)
        return generate_texts(model, self._processor.tokenizer, texts, inputs, seeds, self._sampling)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; see `TokenCounter`."""
        return count_tokens(self._processor.tokenizer, texts)

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()

    def _framed(self, prompt: str) -> str:
        if prompt.count(IMAGE_MARK) != 1:
            raise RecipeError(
                f"labels.prompt must contain {IMAGE_MARK} exactly once, where the picture stands."
            )
        mark = str(self._processor.image_token)
        if self._template is None:
            return prompt.replace(IMAGE_MARK, mark)
        messages, opening = messages_of(prompt)
        framed: str = frame(self._processor.tokenizer, self._template, messages, self._folder)
        if has_turns(prompt) and has_turns(framed):
            return prompt.replace(IMAGE_MARK, mark)
        if framed.count(mark) != 1:
            raise CheckpointError(
                f"The chat template in {self._folder} does not say with {mark} where the picture stands; "
                "take the one that the model was published with"
            )
        return continued(framed, opening)

    def _begins(self, text: str) -> bool:
        """Whether a text has its begin token already, as some chat templates write it."""
        begin = self._processor.tokenizer.bos_token
        return begin is not None and text.startswith(begin)


def _check(folder: Path) -> None:
    check_checkpoint_folder(folder, ARCHITECTURES, _ALLOWED)
    check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)


def _complete_processor(processor: Any, config: Any) -> None:
    """Tell LLaVA's processors how many tokens a picture takes, where an older checkpoint's files do not."""
    if getattr(processor, "patch_size", _UNKNOWN) is None:
        processor.patch_size = config.vision_config.patch_size
        has_class_token = config.vision_config.model_type == "clip_vision_model"
        processor.num_additional_image_tokens = int(has_class_token)
    if getattr(processor, "vision_feature_select_strategy", _UNKNOWN) is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy


def _check_mark(folder: Path, processor: Any, config: Any) -> None:
    """A tokenizer that numbers the picture's mark otherwise belongs to another model, or lacks files."""
    tokenizer = processor.tokenizer
    marks = [owner.image_token for owner in (processor, tokenizer) if hasattr(owner, "image_token")]
    known = {tokenizer.convert_tokens_to_ids(mark) for mark in marks if mark} - {None, tokenizer.unk_token_id}
    expected = getattr(config, "image_token_id", None)
    if not known or (expected is not None and expected not in known):
        raise CheckpointError(
            f"The tokenizer in {folder} does not know the token that stands for a picture "
            f"({', '.join(marks) or 'none is named'}; {expected} in config.json); fetch its files again"
        )
