"""Answers of two variants, laid side by side question by question."""

from collections import Counter
from collections.abc import Mapping, Sequence

from blip_core.errors import EmptyDataset, TableError
from blip_core.records import Prediction

_SHOWN_IDS = 3


def pair(a: Sequence[Prediction], b: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
    """Pair the answers to each question, questions in order of their ids.

    Raises:
        EmptyDataset: when there are no predictions.
        TableError: when the two did not answer the same questions, once each, with the same true answers.
    """
    if not a and not b:
        raise EmptyDataset("There are no predictions to compare: the evaluation rows are empty.")
    first, second = _by_id(a), _by_id(b)
    if first.keys() != second.keys():
        raise TableError(_different_rows(first, second))
    for name, row in first.items():
        other = second[name]
        if (row.truth, row.picture_id) != (other.truth, other.picture_id):
            raise TableError(
                f"Question {name} has the answer {row.truth} about {row.picture_id} for {row.variant}, but "
                f"{other.truth} about {other.picture_id} for {other.variant}: "
                "the two come from different tables. Let both variants answer the same one."
            )
    return [(first[name], second[name]) for name in sorted(first)]


def _by_id(predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    rows = {prediction.id: prediction for prediction in predictions}
    if len(rows) == len(predictions):
        return rows
    name, times = Counter(prediction.id for prediction in predictions).most_common(1)[0]
    raise TableError(f"{rows[name].variant} answers question {name} {times} times; ids must differ.")


def _different_rows(first: Mapping[str, Prediction], second: Mapping[str, Prediction]) -> str:
    only_first, only_second = sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys())
    examples = ", ".join((only_first + only_second)[:_SHOWN_IDS])
    return (
        f"{_variant(first)} and {_variant(second)} did not answer the same questions: {len(only_first)} were "
        f"answered by the first alone and {len(only_second)} by the second alone (such as {examples}). "
        "Let both answer the same table."
    )


def _variant(rows: Mapping[str, Prediction]) -> str:
    return next((row.variant for row in rows.values()), "A variant without rows")
