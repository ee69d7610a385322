"""A language model of the transformers library behind the port `TextWriter`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.backends.processors import load_processor
from blip_core.backends.sampling import (
    Sampling,
    forget_sampling_defaults,
    generate_texts,
    prepare_tokenizer,
)
from blip_core.backends.turns import Message, continued, frame, messages_of, plain_text, template_of
from blip_core.errors import CheckpointError
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.recipes.checkpoint import Dtype

_SEEING = frozenset(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values())
ARCHITECTURES = tuple(sorted(_SEEING | set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())))
_ALLOWED = "language models and vision-language models that transformers knows, such as Qwen2ForCausalLM"
_GGUF_MAGIC = b"GGUF"
_REMEDY = (
    "lower scenes.max_new_tokens or scenes.per_call, shorten scenes.prompt, or take a smaller scenes.model"
)


class TransformersWriter:
    """Writes with a decoder-only language model, from a safetensors folder or a GGUF file.

    A vision-language model writes too, without a picture. Prompts go through the model's chat template,
    without thinking where it can leave that out; a model that has none gets them as they are. A prompt may
    begin with a system message, see `blip_core.backends.turns`.

    Args:
        folder: folder of the checkpoint.
        sampling: how tokens are drawn.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.
        gguf: name of a GGUF file in the folder; its weights are unpacked to `dtype`.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely.
    """

    def __init__(
        self,
        folder: Path,
        sampling: Sampling,
        device: str = "cpu",
        dtype: Dtype = "float32",
        gguf: str | None = None,
    ) -> None:
        is_seeing = _check(folder, gguf)
        self._folder = folder
        self._sampling = sampling
        self._batches = Batches("lists", _REMEDY)
        kind = "a vision-language model" if is_seeing else "a language model"
        with loading(folder / (gguf or ""), kind):
            read, self._tokenizer = _tokenizer(folder, gguf, is_seeing)
            model, info = _auto(is_seeing).from_pretrained(
                folder, dtype=DTYPES[dtype], output_loading_info=True, **_options(gguf, weights=True)
            )
            self._model = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        prepare_tokenizer(self._tokenizer)
        self._template = template_of(read, self._tokenizer)
        self._takes_parts = is_seeing
        forget_sampling_defaults(model, self._tokenizer)

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt under its own seed; see `TextWriter`."""
        still_open(self._model, self)
        return self._batches.work(self._write, prompts, seeds)

    def _write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        model = still_open(self._model, self)
        texts = [self._framed(prompt) for prompt in prompts]
        inputs = self._tokenizer(
            texts,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
            add_special_tokens=self._template is None or (self._takes_parts and not self._begins(texts[0])),
        )
        written = generate_texts(
            model, self._tokenizer, texts, inputs.to(model.device), seeds, self._sampling
        )
        return [one.text for one in written]

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()

    def _framed(self, prompt: str) -> str:
        if self._template is None:
            return prompt
        messages, opening = messages_of(prompt)
        framed = frame(self._tokenizer, self._template, self._worded(messages), self._folder)
        return continued(framed, opening)

    def _worded(self, messages: Sequence[Message]) -> list[Message]:
        """Messages as the template takes them: of parts where it knows pictures, else of text alone."""
        texts = [plain_text(one) for one in messages]
        contents = [[{"type": "text", "text": text}] for text in texts] if self._takes_parts else texts
        return [one | {"content": content} for one, content in zip(messages, contents, strict=True)]

    def _begins(self, text: str) -> bool:
        """Whether a text has its begin token already: a template writes it, or leaves it to the tokenizer."""
        begin = self._tokenizer.bos_token
        return begin is not None and text.startswith(begin)


def _auto(is_seeing: bool) -> Any:
    return AutoModelForImageTextToText if is_seeing else AutoModelForCausalLM


def _tokenizer(folder: Path, gguf: str | None, is_seeing: bool) -> tuple[Any, Any]:
    """What reads prompts, which may know the chat template, and its tokenizer."""
    options = _options(gguf)
    if not is_seeing:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
        return tokenizer, tokenizer
    processor = load_processor(folder, AutoConfig.from_pretrained(folder, **options))
    return processor, processor.tokenizer


def _options(gguf: str | None, *, weights: bool = False) -> dict[str, Any]:
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if gguf:
        return options | {"gguf_file": gguf}
    return options | {"use_safetensors": True} if weights else options


def _check(folder: Path, gguf: str | None) -> bool:
    """Refuse what cannot be loaded; whether it is a vision-language model."""
    if gguf is None:
        config = check_checkpoint_folder(folder, ARCHITECTURES, _ALLOWED)
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        return bool(set(config["architectures"]) & _SEEING)
    path = folder / gguf
    if not path.is_file():
        raise CheckpointError(f"There is no GGUF file {path}; give the path of one that exists.")
    with path.open("rb") as file:
        if file.read(len(_GGUF_MAGIC)) != _GGUF_MAGIC:
            raise CheckpointError(f"{path} is not a GGUF file, or is damaged; fetch it again.")
    return False
