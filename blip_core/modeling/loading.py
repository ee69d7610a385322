"""Loading a BLIP-2 or InstructBLIP from a folder: real or pocket, quantised or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoTokenizer
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.utils import logging

from blip_core.errors import CheckpointError
from blip_core.modeling.backbones import (
    QFORMER_TOKENIZER,
    Backbone,
    Family,
    backbone_in,
    backbone_of,
    family_in,
    is_causal,
)
from blip_core.modeling.checkpoints import check_checkpoint_folder, read_json, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.modeling.manifest import ModuleDtype, assert_manifest
from blip_core.modeling.quantisation import (
    Quantisation,
    keep_weights_unpacked,
    quantisation_config,
    quieten_int8,
)
from blip_core.modeling.tying import without_tying_warnings

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Blip2Bundle:
    """A loaded BLIP-2 or InstructBLIP with all that goes with it.

    Attributes:
        model: the model, or a PEFT model around it.
        processor: its processor; knows the number of image tokens.
        family: which language model it has.
        manifest: what each part is stored in.
        quantisation: of its language model.
        full: parts that its adapter replaces in full.
    """

    model: nn.Module
    processor: Any
    family: Family
    manifest: list[ModuleDtype]
    quantisation: Quantisation
    full: tuple[str, ...] = ()

    @property
    def blip2(self) -> Any:
        """The BLIP-2 itself; adapters sit inside its modules."""
        model = cast(Any, self.model)
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    @property
    def backbone(self) -> Backbone:
        """What kind of model it is."""
        return backbone_of(self.blip2.config)

    @property
    def is_causal(self) -> bool:
        """Whether its language model writes on from the last token that it reads."""
        return is_causal(self.family)

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    @property
    def device(self) -> torch.device:
        return cast(torch.device, self.blip2.query_tokens.device)

    @property
    def image_token_id(self) -> int:
        return int(self.blip2.config.image_token_index)

    @property
    def query_count(self) -> int:
        """Image tokens that stand in front of every prompt."""
        return int(self.blip2.config.num_query_tokens)


def load_blip2(
    folder: Path,
    quantisation: Quantisation = "none",
    device: str | torch.device = "cpu",
    dtype: str = "float32",
) -> Blip2Bundle:
    """Load a BLIP-2 or InstructBLIP, its language model quantised if asked, from files of the folder alone.

    Args:
        folder: a checkpoint folder with safetensors.
        quantisation: of the language model alone; Q-Former and query tokens are float32 in any case.
        device: where it runs.
        dtype: `float32`, `bfloat16` or `float16`, for all that is neither quantised nor kept in float32.

    Returns:
        The bundle, in evaluation mode, without gradients.

    Raises:
        CheckpointError: The folder is unsafe, incomplete or of another architecture, a weight is NaN or
            infinite, or a part came out in another type than asked.
    """
    family = check_blip2_folder(folder)
    check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
    model = _load_model(folder, quantisation, torch.device(device), _DTYPES[dtype])
    keep_weights_unpacked(model)
    quieten_int8()
    manifest = assert_manifest(model, quantisation, dtype)
    processor = _load_processor(folder, model, family)
    _fill_decoder_start(model)
    _fill_pad(model, processor.tokenizer)
    return Blip2Bundle(model.eval().requires_grad_(False), processor, family, manifest, quantisation)


def check_blip2_folder(folder: Path) -> Family:
    """Refuse a folder that holds no BLIP-2 or InstructBLIP that can be loaded safely, without loading it.

    Returns:
        Which language model it has.

    Raises:
        CheckpointError: See `check_checkpoint_folder`, or its language model is of another family.
    """
    return family_in(folder, check_checkpoint_folder(folder))


@contextmanager
def without_bars() -> Iterator[None]:
    """Loading is short; callers show progress of their own."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _without_advice() -> Iterator[None]:
    """A tokenizer's settings that its class ignores are no matter for the person who runs a recipe."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


@without_bars()
@without_tying_warnings()
def _load_model(folder: Path, quantisation: Quantisation, device: torch.device, dtype: torch.dtype) -> Any:
    backbone = backbone_in(folder, read_json(folder / "config.json"))
    try:
        model, loaded = backbone.model.from_pretrained(
            folder,
            dtype=dtype,
            quantization_config=quantisation_config(quantisation),
            device_map={"": str(device)},
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{folder} cannot be loaded as {backbone.words}: {error}") from error
    missing = sorted(loaded["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} weights of its architecture, {missing[0]} among them"
        )
    return model


@_without_advice()
def _load_processor(folder: Path, model: Any, family: Family) -> Any:
    backbone = backbone_of(model.config)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # Pillow on every machine: torchvision resizes a little differently.
        parts = [BlipImageProcessorPil.from_pretrained(folder, local_files_only=True), tokenizer]
        if backbone.reads_instruction:
            parts.append(AutoTokenizer.from_pretrained(folder / QFORMER_TOKENIZER, local_files_only=True))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} has no usable processor: {error}") from error
    # Decoder-only models go on from the last token.
    tokenizer.padding_side = "left" if is_causal(family) else "right"
    processor = backbone.processor(*parts, num_query_tokens=model.config.num_query_tokens)
    _settle_image_token(folder, processor, model)
    return processor


def _settle_image_token(folder: Path, processor: Any, model: Any) -> None:
    """Without image tokens that model and tokenizer agree on, BLIP-2 never looks at the picture.

    A config from before the end of 2024 names none; the tokenizer then does, into which the processor puts
    one if need be. `prefetching.image_token` says the same of a folder before it is loaded.
    """
    expected = model.config.image_token_index
    token = str(processor.image_token)
    actual = processor.tokenizer.convert_tokens_to_ids(token)
    if expected is None and actual < model.language_model.get_input_embeddings().num_embeddings:
        model.config.image_token_index = expected = actual
    if actual != expected:
        raise CheckpointError(
            f"{folder}: {token} is token {actual} of the tokenizer, but image_token_index is {expected} in "
            "config.json; both must be the same, or pictures are ignored"
        )
    if not processor.num_query_tokens:
        raise CheckpointError(
            f"{folder}: num_query_tokens in config.json must be at least 1, or pictures are ignored"
        )


def _fill_decoder_start(model: Any) -> None:
    """T5 starts decoding with its pad token; some configs leave that unsaid."""
    text_config = model.language_model.config
    if text_config.is_encoder_decoder and text_config.decoder_start_token_id is None:
        text_config.decoder_start_token_id = text_config.pad_token_id


def _fill_pad(model: Any, tokenizer: Any) -> None:
    """A Llama has no pad token of its own; what stands in places of pads is never looked at."""
    text_config = model.language_model.config
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if text_config.pad_token_id is None:
            text_config.pad_token_id = token
