"""Extractive readers of the transformers library, behind the port `SpanReader`.

A reader gives every token a logit to begin and one to end an answer; the likeliest span of the text competes
with the span of the first token, which stands for no answer (Rajpurkar et al. 2018, arXiv 1806.03822).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES

from blip_core.backends.loading import DTYPES, loading, refuse_missing_weights
from blip_core.backends.memory import Batches, release_memory, still_open
from blip_core.errors import CheckpointError, NotANumber
from blip_core.modeling.checkpoints import check_checkpoint_folder, weight_files
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.ports import Span
from blip_core.recipes.checkpoint import Dtype

ARCHITECTURES = tuple(sorted(set(MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES.values())))
MAX_ANSWER_TOKENS = 30  # as in the published evaluations on SQuAD
WINDOW_TOKENS = 384  # likewise; a longer text is read in windows that overlap by a third
_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_REMEDY = "take a smaller reader, or its float16"
_TEXT = 1  # of the two sequences of a window


@dataclass(frozen=True, slots=True)
class _Window:
    """What one window says: its best span and how likely that is, and no answer, in logits."""

    best: float
    none: float
    start: int
    end: int


class ExtractiveReader:
    """Reads answers out of texts.

    Args:
        folder: folder of the checkpoint, safetensors only.
        device: `cpu`, `cuda`, ...
        dtype: type that weights are loaded in.

    Raises:
        CheckpointError: when the folder cannot be loaded, or not safely, or its tokenizer tells no places.
    """

    def __init__(self, folder: Path, device: str = "cpu", dtype: Dtype = "float32") -> None:
        check_checkpoint_folder(
            folder, ARCHITECTURES, "readers that transformers knows, such as BertForQuestionAnswering"
        )
        check_weights(weight_files(folder), f"the checkpoint in {folder}", FETCH_AGAIN)
        with loading(folder, "an extractive reader"):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **_LOCAL)
            model, info = AutoModelForQuestionAnswering.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, output_loading_info=True, **_LOCAL
            )
            self._model: Any = model.to(torch.device(device)).eval()
        refuse_missing_weights(folder, info)
        if not self._tokenizer.is_fast:
            raise CheckpointError(
                f"{folder} has a tokenizer that does not tell where tokens stand; add tokenizer.json"
            )
        self._tokenizer.padding_side = "right"
        self._batches = Batches("questions", _REMEDY)
        told = getattr(model.config, "max_position_embeddings", None) or WINDOW_TOKENS
        self._longest = int(min(WINDOW_TOKENS, told, self._tokenizer.model_max_length))

    def read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
        """The likeliest answers; see `SpanReader`."""
        still_open(self._model, self)
        return self._batches.work(self._read, questions, texts)

    @torch.inference_mode()
    def _read(self, questions: Sequence[str], texts: Sequence[str]) -> list[Span | None]:
        words = self._tokenizer(
            [self._shortened(question) for question in questions],
            list(texts),
            padding=True,
            truncation="only_second",
            max_length=self._longest,
            stride=self._longest // 6,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        owners = words.pop("overflow_to_sample_mapping").tolist()
        places = words.pop("offset_mapping").tolist()
        kept = {name: words[name] for name in self._tokenizer.model_input_names if name in words}
        output = self._model(**{name: value.to(self._model.device) for name, value in kept.items()})
        found: list[list[_Window]] = [[] for _ in questions]
        for number, owner in enumerate(owners):
            logits = torch.stack([output.start_logits[number], output.end_logits[number]]).float().cpu()
            if not logits[:, words["attention_mask"][number].bool()].isfinite().all():
                raise NotANumber("a logit of the reader is NaN: its weights are damaged", owner)
            inside = [one == _TEXT for one in words.sequence_ids(number)]
            found[owner].append(self._window(logits, words["input_ids"][number], inside, places[number]))
        return [_span(windows, text) for windows, text in zip(found, texts, strict=True)]

    def _window(
        self, logits: Tensor, ids: Tensor, inside: Sequence[bool], places: Sequence[Sequence[int]]
    ) -> _Window:
        first = (
            (ids == self._tokenizer.cls_token_id).nonzero()
            if self._tokenizer.cls_token_id is not None
            else ids[:0]
        )
        none = logits[:, int(first[0]) if len(first) else 0].sum()
        outside = ~torch.tensor(inside)
        starts, ends = logits.masked_fill(outside, -torch.inf)
        spans = starts[:, None] + ends[None, :]
        spans = spans.where(torch.ones_like(spans).triu().tril(MAX_ANSWER_TOKENS - 1).bool(), -torch.inf)
        place = int(spans.argmax())
        begin, end = divmod(place, len(inside))
        return _Window(float(spans.flatten()[place]), float(none), places[begin][0], places[end][1])

    def _shortened(self, question: str) -> str:
        """A question that leaves a window more than half its room."""
        words = self._tokenizer(
            question,
            add_special_tokens=False,
            truncation=True,
            max_length=self._longest // 2,
            return_offsets_mapping=True,
        )
        return question[: words["offset_mapping"][-1][1]] if words["offset_mapping"] else question

    def close(self) -> None:
        """Release the model's memory."""
        if self._model is not None:
            self._model = None
            release_memory()


def _span(windows: Sequence[_Window], text: str) -> Span | None:
    """The best answer of all windows, where it is likelier than none in each of them."""
    best = max(windows, key=lambda window: window.best)
    score = best.best - min(window.none for window in windows)
    if score <= 0 or best.best == -torch.inf or not text[best.start : best.end].strip():
        return None
    return Span(text[best.start : best.end], best.start, score)
