"""Weights, states and logits that are no numbers: found at little cost, and named by their row and part.

B: rows, V: vocabulary.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import LogitsProcessor

from blip_core.errors import CheckpointError, NotANumber

FETCH_AGAIN = "fetch it again, or take another"  # what to do about a checkpoint's weights

_SHOWN_ROWS = 3
_NARROW_BYTES = 1  # types of 8 bits know no extremes


def is_finite(values: Tensor) -> bool:
    """Whether all values are numbers.

    Neither NaN nor infinity escapes the extremes, and one pass finds these: on one core 4 GB a second, where
    `isfinite` takes 0.2.
    """
    if not values.is_floating_point() or not values.numel():
        return True
    lowest, highest = torch.aminmax(values.float() if values.itemsize == _NARROW_BYTES else values)
    return isfinite(float(lowest)) and isfinite(float(highest))


def finite_rows(values: Tensor) -> Tensor:
    """(B, ...) -> (B,): for each row whether all its values are numbers."""
    lowest, highest = torch.aminmax(values.flatten(1), dim=1)
    return lowest.isfinite() & highest.isfinite()


def check_weights(files: Iterable[Path], owner: str, remedy: str) -> None:
    """Refuse weights that are no numbers; reads every file once, without keeping anything.

    Args:
        files: in safetensors.
        owner: whose weights they are, as a sentence begins.
        remedy: what to do about it.

    Raises:
        CheckpointError: A tensor holds NaN or infinity; the message names the first.
    """
    for path in files:
        with safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - a file of weights is no mapping
                if not is_finite(weights.get_tensor(name)):
                    raise CheckpointError(
                        f"{owner} holds weights that are NaN or infinite, in {name} of {path.name}; {remedy}"
                    )


def refuse_rows(are_finite: Tensor, names: Sequence[str], part: str) -> None:
    """Refuse rows whose values are no numbers.

    Args:
        are_finite: (B,), see `finite_rows`.
        names: of the rows.
        part: of the model, that gave the values.

    Raises:
        NotANumber: There are such rows; the message names the first few.
    """
    bad = [place for place, fine in enumerate(are_finite.tolist()) if not fine]
    if not bad:
        return
    named = list(dict.fromkeys(names[place] for place in bad))  # a rotated question is there several times
    shown = ", ".join(named[:_SHOWN_ROWS])
    more = f" and {len(named) - _SHOWN_ROWS} more" if len(named) > _SHOWN_ROWS else ""
    raise NotANumber(
        f"{part} gave NaN or infinity for row {shown}{more}: the model may need a wider type (set its dtype "
        "to bfloat16 or float32), or its weights are damaged (fetch them again)",
        place=bad[0],
    )


class LogitsWatch(LogitsProcessor):
    """Changes no logits, and notes of which rows some were no numbers.

    It must be the first of its list: others write minus infinity themselves.

    Attributes:
        are_finite: (B,), or (B * beams,) where beams are written; None before the first token.
    """

    def __init__(self) -> None:
        self.are_finite: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Look at logits or log-probabilities (B, V): the highest is NaN where any is."""
        fine = scores.amax(dim=-1).isfinite()
        self.are_finite = fine if self.are_finite is None else self.are_finite & fine
        return scores

    def refuse(self, names: Sequence[str], part: str) -> None:
        """Refuse rows by what was noted; see `refuse_rows`."""
        if self.are_finite is not None:
            refuse_rows(self.are_finite.view(len(names), -1).all(dim=1), names, part)
