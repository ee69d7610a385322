"""What models found of a text beside its picture and the right text (`judging`): stored, then read here."""

from collections.abc import Sequence

from blip_core.scoring.measures.attributes import all_right
from blip_core.scoring.measures.measure import Answer, Measure, Values, each

PICTURE, TRUTH, VERDICT, COSINE = "picture", "picture-truth", "picture-verdict", "sentence-cosine"
"""Names of the scores of a prediction: its text, the right one, which of them wins, and how near they are."""

_TEXTS = frozenset({"caption", "vqa"})
_SCORER, _EMBEDDER = "judging.scorer", "judging.embedder"


def _stored(name: str) -> Values:
    return each(lambda one: one.row.scores.get(name))


def _verdict_error(answers: Sequence[Answer]) -> list[float | None]:
    """A verdict held against the truth: it compares two texts, and is no accuracy."""
    verdicts = _stored(VERDICT)(answers)
    return [
        None if verdict is None or right is None else abs(verdict - right)
        for verdict, right in zip(verdicts, all_right(answers), strict=True)
    ]


MEASURES = (
    Measure(
        "picture-score",
        "fit of text and picture, by a model",
        _stored(PICTURE),
        _TEXTS,
        span=2.0,
        needs=_SCORER,
    ),
    Measure(
        VERDICT,
        "share of texts that a model finds as fit for the picture as the right one",
        _stored(VERDICT),
        _TEXTS,
        "neither",
        needs=_SCORER,
    ),
    Measure(
        "verdict-error",
        "share of texts whose verdict is not what is true of all attributes",
        _verdict_error,
        _TEXTS,
        "less",
        needs=_SCORER,
    ),
    Measure(COSINE, "cosine of sentence vectors", _stored(COSINE), _TEXTS, needs=_EMBEDDER, span=2.0),
)
