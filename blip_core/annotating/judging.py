"""Written texts compared with their pictures and with the right texts, by models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from blip_core.images import decode_picture
from blip_core.ports import Embedder, PictureTextScorer
from blip_core.recipes.judging import Judging
from blip_core.records import Example, Prediction
from blip_core.scoring.measures.by_models import COSINE, PICTURE, TRUTH, VERDICT

TIE = 1e-6  # scores nearer than this are equal: batches differ in the last bits

_VERDICTS: dict[str, float | None] = {"right": 1.0, "wrong": 0.0, "undecided": None}


def judged_texts(
    rows: Iterable[Example],
    predictions: Iterable[Prediction],
    settings: Judging,
    scorer: PictureTextScorer | None,
    embedder: Embedder | None,
) -> Iterator[Prediction]:
    """Predictions with what models find of their texts; those without a text or a right one as they are.

    Args:
        rows: what was answered, one a prediction.
        predictions: in the same order.
        settings: batch size, and what a tie is.
        scorer: compares texts with pictures; None, nobody does.
        embedder: compares texts with right ones; None, nobody does.
    """
    pairs = zip(rows, predictions, strict=True)
    while batch := list(islice(pairs, settings.batch_size)):
        told = [(row, said) for row, said in batch if said.generated.strip() and said.target.strip()]
        found: dict[str, dict[str, float]] = {said.id: {} for _, said in batch}
        if scorer is not None and told:
            _compare_with_pictures(scorer, told, settings, found)
        if embedder is not None and told:
            _compare_with_truth(embedder, [said for _, said in told], found)
        yield from (replace(said, scores={**said.scores, **found[said.id]}) for _, said in batch)


def _compare_with_pictures(
    scorer: PictureTextScorer,
    told: Sequence[tuple[Example, Prediction]],
    settings: Judging,
    found: dict[str, dict[str, float]],
) -> None:
    pictures = [decode_picture(row.image, row.id) for row, _ in told]
    scores = scorer.score(pictures, [[said.generated.strip(), said.target.strip()] for _, said in told])
    for (_, said), (own, truth) in zip(told, scores, strict=True):
        verdict = _VERDICTS[settings.ties] if abs(own - truth) < TIE else float(own > truth)
        found[said.id] |= {PICTURE: own, TRUTH: truth}
        if verdict is not None:
            found[said.id][VERDICT] = verdict


def _compare_with_truth(
    embedder: Embedder, told: Sequence[Prediction], found: dict[str, dict[str, float]]
) -> None:
    vectors = embedder.embed([text for said in told for text in (said.generated, said.target)])
    for place, said in enumerate(told):
        own, truth = vectors[2 * place], vectors[2 * place + 1]
        found[said.id][COSINE] = sum(a * b for a, b in zip(own, truth, strict=True))
