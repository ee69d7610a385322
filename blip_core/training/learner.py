"""A BLIP-2 or InstructBLIP as it is tuned: from kept vision states to a loss.

B: rows, L: tokens of the prompt, T: tokens of the longest target, I: tokens of the longest instruction,
P: patches + 1, V: vision width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from blip_core.modeling.features import VisionStates, image_features, prompt_embeddings
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import (
    IGNORED_LABEL,
    TokenBatch,
    letter_ids,
    pad_instructions,
    pad_prompts,
    pad_rows,
    text_positions,
)
from blip_core.records import LETTERS
from blip_core.training.rows import TrainingRow

Batch = dict[str, Tensor]

_TALLIED = 4  # see `Learner.tallies`


def collate(bundle: Blip2Bundle, states: VisionStates, rows: Sequence[TrainingRow], turn: int = 0) -> Batch:
    """Pad rows; pads, prompts and image tokens are never learnt.

    T5 reads the prompt and is taught the target; all others read both in one row and are taught the target's
    part, or the prompt's words as well where the row says so.

    Args:
        bundle: the model, which says how rows are padded.
        states: where the pictures' vision states come from.
        rows: what is collated.
        turn: number of the training step; 0 when validating.

    Returns:
        `states` (B, P, V); `input_ids` and `attention_mask` (B, L); `labels` (B, T), but (B, L) where prompt
        and target are one text; `is_answer` (B,); where the Q-Former reads what is asked, `instructions` and
        `instruction_mask` (B, I).
    """
    texts = [row.prompt for row in rows]
    labels = [row.target for row in rows]
    if bundle.is_causal:
        texts = [row.prompt + row.target for row in rows]
        labels = [_labels_of_one_text(row) for row in rows]
    padded = pad_prompts(bundle, texts)
    asked = pad_instructions(bundle, [row.instruction for row in rows])
    read: Batch = {}
    if asked is not None:
        read = {"instructions": asked.input_ids, "instruction_mask": asked.attention_mask}
    return read | {
        "states": states.stack([row.picture for row in rows], turn),
        "input_ids": padded.input_ids,
        "attention_mask": padded.attention_mask,
        "labels": pad_rows(labels, IGNORED_LABEL, left=bundle.is_causal),
        "is_answer": torch.tensor([row.is_answer for row in rows]),
    }


def _labels_of_one_text(row: TrainingRow) -> list[int]:
    whole = row.prompt + row.target
    start = len(row.prompt) if row.taught_from is None else row.taught_from
    return [IGNORED_LABEL] * start + whole[start:]


def places_and_pads(bundle: Blip2Bundle, batch: Batch) -> tuple[int, int]:
    """Positions that the language model runs on for a batch, and how many of these are pads."""
    places, real = batch["attention_mask"].numel(), int(batch["attention_mask"].sum())
    if not bundle.is_causal:  # its decoder reads the targets in rows of their own
        places += batch["labels"].numel()
        real += int((batch["labels"] != IGNORED_LABEL).sum())
    return places, places - real


@dataclass(frozen=True, slots=True)
class Aligned:
    """Logits with the labels they are held against.

    Attributes:
        logits: (B, T, vocabulary) float32.
        labels: (B, T), -100 where nothing is learnt.
    """

    logits: Tensor
    labels: Tensor

    def row_losses(self) -> Tensor:
        """(B,): mean cross-entropy over each row's own target."""
        # Tokens in one row: with the vocabulary in the middle the same takes five times as long on a CPU.
        losses = cross_entropy(
            self.logits.flatten(0, 1), self.labels.flatten(), ignore_index=IGNORED_LABEL, reduction="none"
        ).view(self.labels.shape)
        return losses.sum(dim=1) / (self.labels != IGNORED_LABEL).sum(dim=1)

    def first_tokens(self) -> tuple[Tensor, Tensor]:
        """Logits (B, vocabulary) and labels (B,) of the first token of each target."""
        first = (self.labels != IGNORED_LABEL).int().argmax(dim=1)
        rows = torch.arange(len(first), device=first.device)
        return self.logits[rows, first], self.labels[rows, first]


class Learner(nn.Module):
    """What the Trainer steps: Q-Former, projection and language model behind the frozen vision tower.

    Args:
        bundle: the model, with its adapter.
        letters: how many letters compete for an answer while it is validated.
    """

    def __init__(self, bundle: Blip2Bundle, letters: int = len(LETTERS)) -> None:
        super().__init__()
        self.model = bundle.model
        self._bundle = bundle
        self._letters = letter_ids(bundle, letters)
        self._learnt = [parameter for parameter in self.parameters() if parameter.requires_grad]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget gradients, of the few weights that have any: the Trainer asks for it at every step."""
        del set_to_none
        for parameter in self._learnt:
            parameter.grad = None

    def forward(self, states: Tensor, is_answer: Tensor, **batch: Tensor) -> dict[str, Tensor]:
        """Loss of a batch as `collate` gives it, the mean of its rows' means, and `row_losses` (B,).

        A row counts as a row, however long its target; otherwise a few descriptions would drown the letters.
        """
        del is_answer
        losses = self.align(states, **batch).row_losses()
        return {"loss": losses.mean(), "row_losses": losses}

    def align(
        self,
        states: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        instructions: Tensor | None = None,
        instruction_mask: Tensor | None = None,
    ) -> Aligned:
        bundle = self._bundle
        asked = None
        if instructions is not None and instruction_mask is not None:
            asked = TokenBatch(instructions, instruction_mask)
        features = image_features(bundle, states, asked)
        embeddings = prompt_embeddings(bundle, TokenBatch(input_ids, attention_mask), features)
        inputs: dict[str, Any] = {
            "inputs_embeds": embeddings,
            "attention_mask": attention_mask,
            "use_cache": False,
        }
        language_model = bundle.blip2.language_model
        if not bundle.is_causal:
            inputs["decoder_input_ids"] = language_model.prepare_decoder_input_ids_from_labels(labels)
            return Aligned(language_model(**inputs).logits.float(), labels)
        if bundle.family != "opt":  # which counts places itself
            inputs["position_ids"] = text_positions(attention_mask)
        # Rows end together, so only the last logits meet a label; each logit speaks of the token after it.
        taught = int((labels != IGNORED_LABEL).sum(dim=1).max())
        logits = language_model(**inputs, logits_to_keep=taught + 1).logits.float()
        return Aligned(logits[:, :-1], labels[:, -taught:])

    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Loss over all rows, and the share of answering rows whose letter ranks first."""
        return validation_metrics(self.tallies(batches))

    @torch.no_grad()
    def tallies(self, batches: Iterable[Batch]) -> Tensor:
        """(N, 4) float64: of each batch the sum of its rows' losses, rows, letters ranked first, letters."""
        was_training = self.training
        self.eval()
        tallies = [self._tally(batch) for batch in batches]
        self.train(was_training)
        return torch.tensor(tallies, dtype=torch.float64).view(-1, _TALLIED)

    def _tally(self, batch: Batch) -> list[float]:
        on_device = {name: value.to(self._bundle.device) for name, value in batch.items()}
        is_answer = on_device.pop("is_answer")
        aligned = self.align(**on_device)
        hits = self._letters_ranked_first(aligned) & is_answer
        return [float(aligned.row_losses().sum()), len(is_answer), int(hits.sum()), int(is_answer.sum())]

    def _letters_ranked_first(self, aligned: Aligned) -> Tensor:
        logits, labels = aligned.first_tokens()
        letters = torch.tensor(self._letters, device=logits.device)
        return letters[logits[:, letters].argmax(dim=1)] == labels


def validation_metrics(tallies: Tensor) -> dict[str, float]:
    """What all batches come to; see `Learner.tallies`."""
    losses, rows, hits, answers = (sum(column) for column in zip(*tallies.tolist(), strict=True))
    metrics = {"validation_loss": losses / rows}
    return metrics | ({"validation_accuracy": hits / answers} if answers else {})
