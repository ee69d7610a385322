"""A language model of the transformers library behind the port `TextWriter`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import release_memory, still_open
from blip_core.backends.sampling import (
    Sampling,
    forget_sampling_defaults,
    generate_texts,
    prepare_tokenizer,
)
from blip_core.errors import CheckpointError
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.recipes.checkpoint import Dtype

ARCHITECTURES = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()))
_GGUF_MAGIC = b"GGUF"


class TransformersWriter:
    """Writes with a decoder-only language model, from a safetensors folder or a GGUF file.

    Prompts go through the tokenizer's chat template where it has one, and as they are where it has none.

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
        _check(folder, gguf)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        if gguf:
            options["gguf_file"] = gguf
        self._sampling = sampling
        safetensors = {} if gguf else {"use_safetensors": True}
        with loading(folder / (gguf or ""), "a language model"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
            model, info = AutoModelForCausalLM.from_pretrained(
                folder, dtype=DTYPES[dtype], output_loading_info=True, **options, **safetensors
            )
        refuse_missing_weights(folder, info)
        prepare_tokenizer(self._tokenizer)
        forget_sampling_defaults(model, self._tokenizer)
        self._model = model.to(torch.device(device)).eval()

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Continue each prompt under its own seed; see `TextWriter`."""
        model = still_open(self._model, self)
        texts = [self._framed(prompt) for prompt, _ in zip(prompts, seeds, strict=True)]
        if not texts:
            return []
        has_frame = self._tokenizer.chat_template is not None
        inputs = self._tokenizer(
            texts,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
            add_special_tokens=not has_frame,  # a chat template writes them itself
        )
        return generate_texts(model, self._tokenizer, inputs.to(model.device), seeds, self._sampling)

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()

    def _framed(self, prompt: str) -> str:
        if self._tokenizer.chat_template is None:
            return prompt
        turn = [{"role": "user", "content": prompt.strip()}]
        framed: str = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        return framed


def _check(folder: Path, gguf: str | None) -> None:
    if gguf is None:
        check_checkpoint_folder(folder, ARCHITECTURES)
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        return
    path = folder / gguf
    if not path.is_file():
        raise CheckpointError(f"There is no GGUF file {path}; give the path of one that exists.")
    with path.open("rb") as file:
        if file.read(len(_GGUF_MAGIC)) != _GGUF_MAGIC:
            raise CheckpointError(f"{path} is not a GGUF file, or is damaged; fetch it again.")
