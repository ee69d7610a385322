"""Models that say how well a text fits a picture, behind the port `PictureTextScorer`.

CLIP and SigLIP embed both apart, and the score is a cosine. BLIP-2 for image-text matching reads both
together, and the score is the probability that they belong together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer, Blip2ForImageTextRetrieval

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.errors import NotANumber
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.ports import TEXTS_AT_ONCE, Embedder
from blip_core.recipes.checkpoint import Dtype

EMBEDDING = ("CLIPModel", "SiglipModel")
MATCHING = "Blip2ForImageTextRetrieval"
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_REMEDY = "take a smaller model for the step, or its float16"
_PADDED = "siglip"  # trained on texts that are padded to their longest, without a mask
_MATCHES = 1  # of the two logits of the matching head


class EmbeddingScorer:
    """Scores by the cosine of a picture's and a text's embedding.

    Args:
        folder: folder of the checkpoint, safetensors only.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely.
    """

    def __init__(self, folder: Path, device: str = "cpu", dtype: Dtype = "float32") -> None:
        _check(folder)
        with loading(folder, "a model that compares pictures and texts"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
            self._images: Any = AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)
            model, info = AutoModel.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **_LOCAL
            )
            self._model: Any = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        self._batches = Batches("pictures", _REMEDY)
        self._batches_of_texts = Batches("texts", _REMEDY, TEXTS_AT_ONCE)
        self._known: dict[str, Tensor] = {}  # texts of banks come with every picture

    def score(self, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        """Score each picture with its texts, -1 to 1; see `PictureTextScorer`."""
        still_open(self._model, self)
        return _finite(self._batches.work(self._score, pictures, texts))

    @torch.inference_mode()
    def _score(self, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        self._embed([text for asked in texts for text in asked])
        shown = self._images(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt")
        pixels = shown["pixel_values"].to(self._model.device, self._model.dtype)
        seen = normalize(_pooled(self._model.get_image_features(pixel_values=pixels)).float(), dim=-1)
        return [
            [float(one @ self._known[text]) for text in asked] for one, asked in zip(seen, texts, strict=True)
        ]

    def _embed(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if not new:
            return
        config = self._model.config
        words = self._tokenizer(
            new,
            padding="max_length" if config.model_type == _PADDED else True,
            truncation=True,
            max_length=config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self._model.device)
        words.pop("token_type_ids", None)
        if config.model_type == _PADDED:
            words.pop("attention_mask", None)
        found = normalize(_pooled(self._model.get_text_features(**words)).float(), dim=-1)
        self._known.update(zip(new, found, strict=True))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 a text: it also serves as an `Embedder`."""
        still_open(self._model, self)
        return _finite(self._batches_of_texts.work(self._vectors, texts))

    @torch.inference_mode()
    def _vectors(self, texts: Sequence[str]) -> list[list[float]]:
        self._embed(texts)
        return [self._known[text].tolist() for text in texts]

    @property
    def sharpness(self) -> float:
        """What the model multiplies a cosine by to compare texts about one picture."""
        still_open(self._model, self)
        return float(self._model.logit_scale.detach().float().exp())

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model, self._known = None, {}
            release_memory()


class MatchingScorer:
    """Scores by the probability that picture and text belong together: BLIP-2's image-text matching head.

    Args: as `EmbeddingScorer`.
    """

    def __init__(self, folder: Path, device: str = "cpu", dtype: Dtype = "float32") -> None:
        _check(folder)
        with loading(folder, "a BLIP-2 for image-text matching"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
            self._images: Any = AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)
            loader: Any = Blip2ForImageTextRetrieval
            model, info = loader.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **_LOCAL
            )
            self._model: Any = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        self._tokenizer.padding_side = "right"
        self._batches = Batches("pictures with texts", _REMEDY)

    def score(self, pictures: Sequence[Image], texts: Sequence[Sequence[str]]) -> list[list[float]]:
        """Score each picture with its texts, 0 to 1; see `PictureTextScorer`."""
        still_open(self._model, self)
        pairs = [(picture, text) for picture, asked in zip(pictures, texts, strict=True) for text in asked]
        found = iter(self._batches.work(self._match, [one for one, _ in pairs], [text for _, text in pairs]))
        return _finite([[next(found) for _ in asked] for asked in texts])

    @torch.inference_mode()
    def _match(self, pictures: Sequence[Image], texts: Sequence[str]) -> list[float]:
        config, device = self._model.config, self._model.device
        shown = self._images(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt")
        words = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=config.qformer_config.max_position_embeddings,
            return_tensors="pt",
        )
        ids, mask = words["input_ids"], words["attention_mask"]
        if config.image_token_index is not None:  # the model takes as many marks away as it has queries
            marks = torch.full((len(ids), config.num_query_tokens), config.image_token_index)
            ids, mask = torch.cat([marks, ids], 1), torch.cat([torch.ones_like(marks), mask], 1)
        logits = self._model(
            pixel_values=shown["pixel_values"].to(device, self._model.dtype),
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            use_image_text_matching_head=True,
        ).logits_per_image
        chances: list[float] = logits.float().softmax(-1)[:, _MATCHES].tolist()
        return chances

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()


def load_scorer(
    folder: Path, device: str = "cpu", dtype: Dtype = "float32"
) -> EmbeddingScorer | MatchingScorer:
    """The scorer for what a folder holds.

    Raises:
        CheckpointError: when it holds something else, or cannot be loaded.
    """
    _check(folder)
    with loading(folder, "a model that compares pictures and texts"):
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
    kind = MatchingScorer if MATCHING in (config.architectures or ()) else EmbeddingScorer
    return kind(folder, device, dtype)


def load_embedder(folder: Path, device: str = "cpu", dtype: Dtype = "float32") -> Embedder:
    """What embeds texts: the text half of a model of pictures and texts, or a model of sentence vectors.

    Raises:
        CheckpointError: when the folder holds neither, or cannot be loaded.
    """
    from blip_core.backends.sentence_embedder import SentenceEmbedder

    with loading(folder, "a model that embeds texts"):
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
    is_both = bool({*EMBEDDING} & {*(config.architectures or ())})
    return EmbeddingScorer(folder, device, dtype) if is_both else SentenceEmbedder(folder, device, dtype)


def _check(folder: Path) -> None:
    check_checkpoint_folder(folder, (*EMBEDDING, MATCHING))
    check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)


def _pooled(output: Any) -> Tensor:
    """Embeddings of pictures or texts, (rows, width)."""
    pooled: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return pooled


def _finite(rows: list[list[float]]) -> list[list[float]]:
    for place, row in enumerate(rows):
        if not torch.tensor(row).isfinite().all():
            raise NotANumber("a score is NaN: the picture or the model's weights are damaged", place)
    return rows
