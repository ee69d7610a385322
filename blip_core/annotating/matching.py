"""Step: texts are matched with their picture, and the better one is kept: capture and filter.

Li et al., "BLIP: Bootstrapping Language-Image Pre-training", 2022 (arXiv 2201.12086), section 3.3: a text of
the web and one that was drafted are both put to a matching model, and those that do not fit are dropped.
"""

from collections.abc import Sequence
from dataclasses import replace

from blip_core.annotating.step import Context, Step, Worked, batches, part, refuse, text_of
from blip_core.images import decode_picture
from blip_core.recipes.annotations import Match
from blip_core.records import Example, Rejection


def match(rows: Sequence[Example], settings: Match, context: Context) -> Worked:
    """Store the score of each text, and learn the best one; rows of which none fits are refused.

    Reasons: `no-text` (there is nothing to match), `no-text-matches`.
    """
    scores = _scores(rows, settings, context)

    def keep(row: Example) -> Example | Rejection:
        found = scores[id(row)]
        if not found:
            return refuse(row, "no-text", f"{' and '.join(settings.texts)} are empty")
        best = max(found, key=lambda name: found[name])  # of equal ones the first
        if found[best] < settings.min_score:
            told = ", ".join(f"{name} {score:.3f}" for name, score in found.items())
            return refuse(row, "no-text-matches", f"{told}; at least {settings.min_score:g}")
        stored = {f"match-{name}": score for name, score in found.items()}
        return replace(row, target=text_of(row, best), scores={**row.scores, **stored})

    return part(rows, keep)


def _scores(rows: Sequence[Example], settings: Match, context: Context) -> dict[int, dict[str, float]]:
    scorer = context.models.open("picture-text")
    scores: dict[int, dict[str, float]] = {}
    for batch in batches(rows, settings.batch_size):
        texts = [
            {name: text for name in settings.texts if (text := text_of(row, name).strip())} for row in batch
        ]
        pictures = [decode_picture(row.image, row.id) for row in batch]
        given = scorer.score(pictures, [list(one.values()) for one in texts])
        for row, named, found in zip(batch, texts, given, strict=True):
            scores[id(row)] = dict(zip(named, found, strict=True))
    return scores


STEP = Step("match", "the text that fits the picture better, above a bound", Match, match)
