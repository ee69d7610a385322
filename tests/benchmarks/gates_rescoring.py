"""What a labeller thinks of a text that it wrote of another picture, token by token as it was drawn."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForImageTextToText, AutoProcessor

from blip_core.ports import Written

BATCH_SIZE = 32


class Rescorer:
    """The bundled LLaVA, reading what was written in place of writing.

    Args:
        folder: of its checkpoint.
        prompt: that labels are asked for with.
    """

    def __init__(self, folder: Path, prompt: str) -> None:
        local: dict[str, Any] = {"local_files_only": True}
        self._model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, **local).eval()
        self._processor = AutoProcessor.from_pretrained(folder, **local)
        tokenizer = self._processor.tokenizer
        self._prompt = prompt
        # A text would be cut into other tokens than those that were drawn: each is found by what it reads.
        self._token = {tokenizer.decode([number]): number for number in range(len(tokenizer))}

    @torch.inference_mode()
    def scored(self, pictures: Sequence[Image.Image], texts: Sequence[Written]) -> list[Written]:
        """The same texts and tokens, as likely as they are of these pictures."""
        found: list[Written] = []
        for start in range(0, len(texts), BATCH_SIZE):
            found += self._batch(pictures[start : start + BATCH_SIZE], texts[start : start + BATCH_SIZE])
        return found

    def _batch(self, pictures: Sequence[Image.Image], texts: Sequence[Written]) -> list[Written]:
        asked = self._processor(
            images=[[picture] for picture in pictures],
            text=[self._prompt] * len(texts),
            return_tensors="pt",
        )
        tokens = [torch.tensor([self._token[piece] for piece in pieces(text)]) for text in texts]
        added = pad_sequence(tokens, batch_first=True)  # behind what is scored, so that it is not seen
        ids = torch.cat([asked["input_ids"], added], dim=1)
        logits = self._model(input_ids=ids, pixel_values=asked["pixel_values"]).logits
        before = asked["input_ids"].shape[1] - 1
        chances = logits[:, before:-1].float().log_softmax(dim=-1).gather(2, added[:, :, None])[:, :, 0]
        return [
            Written(text.text, text.starts, tuple(row[: len(text.starts)].tolist()))
            for text, row in zip(texts, chances, strict=True)
        ]


def pieces(written: Written) -> list[str]:
    """What each token of a text reads."""
    return [written.text[start:end] for start, end in pairwise((*written.starts, len(written.text)))]
