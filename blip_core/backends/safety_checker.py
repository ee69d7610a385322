"""Models that tell unsafe pictures, behind `SafetyChecker`: classifiers, and CLIP with texts for labels."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.backends.picture_text_scorer import EMBEDDING, EmbeddingScorer
from blip_core.errors import CheckpointError, NotANumber
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.ports import SafetyChecker
from blip_core.recipes.checkpoint import Dtype

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_REMEDY = "lower curation.unsafe_pictures.batch_size"
_CLASSIFYING = tuple(
    name
    for names in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.values()
    for name in ([names] if isinstance(names, str) else names)
)
_ALLOWED = "a model that classifies pictures (...ForImageClassification), or CLIP or SigLIP"


class PictureClassifier:
    """A classifier with labels of its own.

    Args:
        folder: folder of the checkpoint, safetensors only.
        labels: those of unsafe pictures, whatever their case; those that it does not have count for nothing.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: The folder cannot be loaded, or not safely, or the model has none of the labels.
    """

    def __init__(
        self, folder: Path, labels: Sequence[str], device: str = "cpu", dtype: Dtype = "float32"
    ) -> None:
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        with loading(folder, "a model that classifies pictures"):
            self._images: Any = AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)
            model, info = AutoModelForImageClassification.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **_LOCAL
            )
            self._model: Any = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        self._unsafe = _places(folder, dict(self._model.config.id2label), labels)
        self._batches = Batches("pictures", _REMEDY)

    def unsafe(self, pictures: Sequence[Image]) -> list[float]:
        """Add up the probabilities of the unsafe labels; see `SafetyChecker`."""
        still_open(self._model, self)
        return _finite(self._batches.work(self._look, pictures))

    @torch.inference_mode()
    def _look(self, pictures: Sequence[Image]) -> list[float]:
        shown = self._images(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt")
        pixels = shown["pixel_values"].to(self._model.device, self._model.dtype)
        chances = self._model(pixel_values=pixels).logits.float().softmax(-1)
        found: list[float] = chances[:, self._unsafe].sum(-1).tolist()
        return found

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()


class TextsForLabels:
    """A model that embeds pictures and texts weighs texts for unsafe pictures against those for safe ones.

    Args:
        scorer: the model.
        unsafe: texts for unsafe pictures.
        safe: texts for safe ones.
    """

    def __init__(self, scorer: EmbeddingScorer, unsafe: Sequence[str], safe: Sequence[str]) -> None:
        self._scorer = scorer
        self._texts = [*unsafe, *safe]
        self._count = len(unsafe)

    def unsafe(self, pictures: Sequence[Image]) -> list[float]:
        """Share of the unsafe texts in a softmax over all; see `SafetyChecker`."""
        scores = self._scorer.score(pictures, [self._texts] * len(pictures))
        logits = torch.tensor(scores).reshape(len(pictures), len(self._texts)) * self._scorer.sharpness
        found: list[float] = logits.softmax(-1)[:, : self._count].sum(-1).tolist()
        return _finite(found)

    def close(self) -> None:
        """Release the model's memory."""
        self._scorer.close()


def load_safety_checker(
    folder: Path, labels: Sequence[str], safe: Sequence[str], device: str = "cpu", dtype: Dtype = "float32"
) -> SafetyChecker:
    """The checker for what a folder holds.

    Args:
        folder: folder of the checkpoint.
        labels: for unsafe pictures.
        safe: texts for safe pictures, where the model embeds.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: It holds something else, or cannot be loaded.
    """
    check_checkpoint_folder(folder, (*EMBEDDING, *_CLASSIFYING), _ALLOWED)
    with loading(folder, "a model that classifies pictures"):
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
    if {*EMBEDDING} & {*(config.architectures or ())}:
        return TextsForLabels(EmbeddingScorer(folder, device, dtype), labels, safe)
    return PictureClassifier(folder, labels, device, dtype)


def _places(folder: Path, names: dict[int, str], labels: Sequence[str]) -> list[int]:
    wanted = {label.lower() for label in labels}
    places = [place for place, name in sorted(names.items()) if name.lower() in wanted]
    if not places or len(places) == len(names):
        what = "none" if not places else "nothing else"
        raise CheckpointError(
            f"{folder} has {what} of the labels {', '.join(labels)}: it tells {', '.join(names.values())}; "
            "name those of unsafe pictures in curation.unsafe_pictures.labels"
        )
    return places


def _finite(chances: list[float]) -> list[float]:
    for place, chance in enumerate(chances):
        if not math.isfinite(chance):
            raise NotANumber("a probability is NaN: the picture or the model's weights are damaged", place)
    return chances
