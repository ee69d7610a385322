"""Writing greedily: where texts end, and which rows still cost a step. The reader is a script."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from blip_core.inference.counting import InferenceCounts
from blip_core.inference.generating import write_texts

PAD, END, WORD = 0, 1, 2


class Scripted:
    """Each row writes words, then its end, again and again; notes how many rows each step asks."""

    def __init__(self, lengths: list[int]) -> None:
        self._rows = [[WORD] * (length - 1) + [END] for length in lengths]
        self._position = 0
        self.asked: list[int] = []
        self.first_logits = self._logits()

    def _logits(self) -> Tensor:
        tokens = [row[min(self._position, len(row) - 1)] for row in self._rows]
        return torch.eye(4)[tokens] + torch.tensor([0.0, 0.0, 0.5, 0.0])  # a word where no end is allowed

    def step(self, tokens: Tensor) -> Tensor:
        self._position += 1
        self.asked.append(len(tokens))
        return self._logits()[:, None]

    def keep(self, rows: Tensor) -> None:
        self._rows = [self._rows[row] for row in rows.tolist()]


def write(reader: Scripted, most: int, least: int = 0) -> tuple[list[int], InferenceCounts]:
    """Words of each text, and what they took."""
    config = SimpleNamespace(eos_token_id=END, pad_token_id=PAD)
    tokenizer = SimpleNamespace(
        batch_decode=lambda ids, **_: [" ".join("w" for one in row if one == WORD) for row in ids.tolist()]
    )
    model = SimpleNamespace(language_model=SimpleNamespace(config=config))
    bundle: Any = SimpleNamespace(blip2=model, tokenizer=tokenizer)
    counts, names = InferenceCounts(), [f"q{row}" for row in range(len(reader.first_logits))]
    texts = write_texts(bundle, reader, most, 1, counts, names, least)  # type: ignore[arg-type]
    return [len(text.split()) for text in texts], counts


@pytest.mark.parametrize(
    ("lengths", "asked"),
    [
        ([1, 1, 1, 4], [1, 1, 1]),  # three of four have ended: they leave at once
        ([1, 1, 4, 4], [2, 2, 2]),  # half of them
        ([1, 4, 4, 4], [4, 4, 4]),  # too few to be worth it
        ([1, 2, 4, 4], [4, 2, 2]),
        ([1, 2, 3, 4], [4, 2, 1]),
        ([1, 1, 1, 1], []),
        ([3], [1, 1]),
    ],
)
def test_rows_that_have_ended_leave_once_half_of_them_have(lengths: list[int], asked: list[int]) -> None:
    reader = Scripted(lengths)

    words, counts = write(reader, most=6)

    assert words == [length - 1 for length in lengths]
    assert reader.asked == asked
    assert (counts.decoder_steps, counts.written_tokens) == (len(asked), sum(lengths))


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_no_text_is_longer_than_allowed_and_no_step_is_taken_for_nothing(most: int) -> None:
    reader = Scripted([2, 9, 9])

    words, counts = write(reader, most)

    assert words == [min(1, most), most, most]
    assert counts.decoder_steps == most - 1


@pytest.mark.parametrize("least", [0, 1, 2, 4])
def test_no_text_ends_before_the_least_number_of_tokens(least: int) -> None:
    words, _ = write(Scripted([1, 2, 4]), most=8, least=least)

    assert words == [max(length - 1, least) for length in (1, 2, 4)]
