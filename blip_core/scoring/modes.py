"""What a variant scores when it is shown less: without description, without picture, without either."""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.records import Prediction
from blip_core.scoring.accuracy import Accuracy, accuracy
from blip_core.scoring.comparison import Comparison, compare


def by_mode(predictions: Sequence[Prediction]) -> dict[str, Accuracy]:
    """Accuracy by mode, modes in order of their first row."""
    return {mode: accuracy(rows) for mode, rows in _parted(predictions).items()}


def compare_modes(
    full: Sequence[Prediction], ablations: Sequence[Prediction], seed: int = 0
) -> list[Comparison]:
    """Compare each mode with the answers to the same questions where everything was shown.

    In the comparisons `a` and `b` are modes: a negative difference is what a variant loses when it sees less.

    Args:
        full: answers of one variant that saw everything.
        ablations: its answers in other modes, any number of them.
        seed: of the resampling.

    Raises:
        TableError: when a mode did not answer the same questions.
    """
    modes = _parted(ablations)
    return [replace(compare(full, rows, seed), a=full[0].mode, b=mode) for mode, rows in modes.items()]


def _parted(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    modes: dict[str, list[Prediction]] = {}
    for row in predictions:
        modes.setdefault(row.mode, []).append(row)
    return modes
