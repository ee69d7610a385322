"""Sentence vectors by any encoder of the transformers library, behind the port `Embedder`.

Vectors are the mean over a text's tokens, or the first token's where the folder says so as the package
sentence-transformers writes it (`modules.json`, `1_Pooling/config.json`), made as long as 1 (Reimers and
Gurevych 2019, arXiv 1908.10084).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.errors import CheckpointError, NotANumber
from blip_core.modeling.checkpoints import check_checkpoint_folder, read_json, read_parts, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.ports import TEXTS_AT_ONCE
from blip_core.recipes.checkpoint import Dtype

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_REMEDY = "take a smaller embedder, or its float16"
_POOLING = Path("1_Pooling") / "config.json"
_MEAN, _FIRST = "pooling_mode_mean_tokens", "pooling_mode_cls_token"
_KNOWN = ("Transformer", "Pooling", "Normalize")
_ALLOWED = "allowed are the mean over tokens, or the first token"
_LONGEST = 512  # tokens, where neither tokenizer nor config tells


class SentenceEmbedder:
    """Embeds texts.

    Args:
        folder: folder of the checkpoint, safetensors only.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely, or pools in another way.
    """

    def __init__(self, folder: Path, device: str = "cpu", dtype: Dtype = "float32") -> None:
        check_checkpoint_folder(
            folder, tuple(_names()), "encoders of texts that transformers knows, such as BertModel"
        )
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        self._takes_first = _takes_first(folder)
        with loading(folder, "an encoder of texts"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
            model, info = AutoModel.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **_LOCAL
            )
            self._model: Any = model.to(torch.device(device)).eval()
        missing = {name for name in info["missing_keys"] if not name.startswith("pooler.")}  # not asked here
        refuse_missing_weights(folder, {"missing_keys": missing})
        self._tokenizer.padding_side = "right"
        self._batches = Batches("texts", _REMEDY, TEXTS_AT_ONCE)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 a text; see `Embedder`."""
        still_open(self._model, self)
        vectors = self._batches.work(self._embed, texts)
        for place, vector in enumerate(vectors):
            if not torch.tensor(vector).isfinite().all():
                raise NotANumber("a sentence vector is NaN: the model's weights are damaged", place)
        return vectors

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        words = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._longest(), return_tensors="pt"
        ).to(self._model.device)
        states = self._model(**words).last_hidden_state.float()
        vectors: list[list[float]] = normalize(self._pool(states, words["attention_mask"]), dim=-1).tolist()
        return vectors

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors (B, D) of hidden states (B, T, D)."""
        if self._takes_first:
            return states[:, 0]
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)

    def _longest(self) -> int:
        told = getattr(self._model.config, "max_position_embeddings", None) or _LONGEST
        pad = self._tokenizer.pad_token_id or 0
        is_offset = self._model.config.model_type in ("mpnet", "roberta", "xlm-roberta", "camembert")
        room = told - pad - 1 if is_offset else told  # these count positions from behind the padding's number
        return int(min(room, self._tokenizer.model_max_length))

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()


def _names() -> list[str]:
    names: list[str] = []
    for name in MODEL_MAPPING_NAMES.values():
        names += [name] if isinstance(name, str) else [*name]
    return names


def _takes_first(folder: Path) -> bool:
    """Whether the first token's state is the vector, rather than the mean.

    Raises:
        CheckpointError: Another way of pooling, or a layer behind it, is asked for.
    """
    behind = [kind for kind in _modules(folder) if kind not in _KNOWN]
    if behind:
        raise CheckpointError(
            f"{folder} makes vectors by {', '.join(behind)}, which is not known here; {_ALLOWED}"
        )
    if not (folder / _POOLING).is_file():
        if "Pooling" in _modules(folder):
            raise CheckpointError(
                f"{folder} lacks {_POOLING}, which says how vectors are made; fetch it again"
            )
        return False
    told = read_json(folder / _POOLING, "pooling")
    on = [name for name, value in told.items() if name.startswith("pooling_mode_") and value is True]
    if on not in ([_MEAN], [_FIRST]):
        raise CheckpointError(f"{folder} makes vectors by {', '.join(on) or 'nothing'}; {_ALLOWED}")
    return on == [_FIRST]


def _modules(folder: Path) -> list[str]:
    """What a folder in the layout of sentence-transformers is made of; nothing for others."""
    path = folder / "modules.json"
    return read_parts(path) if path.is_file() else []
