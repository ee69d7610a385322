"""Step: texts in another language; what comes back of them says what was lost.

A back-translation measures both ways together. A question is translated with its answer, and the answer must
come back: a question whose answer was lost teaches something wrong.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from blip_core.annotating.asking import holds
from blip_core.annotating.step import Context, Step, Worked, part, refuse
from blip_core.kinds import kind_of
from blip_core.ports import row_seed
from blip_core.recipes.annotations import Translate
from blip_core.records import Example, Rejection
from blip_core.texts import loose

_FIELDS = ("question", "target", "description")


def translate(rows: Sequence[Example], settings: Translate, context: Context) -> Worked:
    """Take the translations, with the similarity of what came back; rows that lose too much are refused.

    Reasons: `translation-has-options` (letters and options do not go apart), `nothing-to-translate`,
    `translation-empty`, `translation-loses-answer`, `translation-differs`.
    """
    texts = [(row, field) for row in rows if not kind_of(row.task).has_options for field in _fields(row)]
    originals = [getattr(row, field) for row, field in texts]
    names = [f"{row.id} {field}" for row, field in texts]
    there = _write(settings.there, originals, names, "there", settings, context)
    back = _write(settings.back, there, names, "back", settings, context)
    alike = _similarities(originals, back, settings, context)
    found: dict[int, dict[str, tuple[str, str, float]]] = {}
    for (row, field), said, returned, score in zip(texts, there, back, alike, strict=True):
        found.setdefault(id(row), {})[field] = (said, returned, score)
    return part(rows, lambda row: _taken(row, found.get(id(row), {}), settings))


def _fields(row: Example) -> list[str]:
    return [field for field in _FIELDS if getattr(row, field).strip()]


def _write(
    prompt: str, texts: Sequence[str], names: Sequence[str], way: str, settings: Translate, context: Context
) -> list[str]:
    """Translations; of an empty text an empty one."""
    full = [place for place, text in enumerate(texts) if text]
    made = [""] * len(texts)
    for start in range(0, len(full), settings.batch_size):
        batch = full[start : start + settings.batch_size]
        seeds = [row_seed(context.seed, "translate", way, names[place]) for place in batch]
        prompts = [prompt.format(text=texts[place]) for place in batch]
        for place, text in zip(batch, context.models.open("writer").write(prompts, seeds), strict=True):
            made[place] = " ".join(text.split())
    return made


def _similarities(
    originals: Sequence[str], back: Sequence[str], settings: Translate, context: Context
) -> list[float]:
    if settings.measure == "words" or not originals:
        return [shared_words(one, other) for one, other in zip(originals, back, strict=True)]
    embedder = context.models.open("embedder")
    cosines: list[float] = []
    for start in range(0, len(originals), settings.batch_size):
        run = slice(start, start + settings.batch_size)
        pairs = zip(embedder.embed(originals[run]), embedder.embed(back[run]), strict=True)
        cosines += [sum(x * y for x, y in zip(one, other, strict=True)) for one, other in pairs]
    return cosines


def shared_words(one: str, other: str) -> float:
    """F1 of the words of two texts, 0 to 1, as answers are compared on SQuAD."""
    had, has = Counter(loose(one).split()), Counter(loose(other).split())
    both = (had & has).total()
    return 2 * both / max(had.total() + has.total(), 1)


def _taken(
    row: Example, found: dict[str, tuple[str, str, float]], settings: Translate
) -> Example | Rejection:
    kind = kind_of(row.task)
    if kind.has_options:
        return refuse(row, "translation-has-options", f"rows of the task {row.task} are not translated")
    if not found:
        return refuse(row, "nothing-to-translate", "all texts are empty")
    for field, (said, returned, score) in found.items():
        before = getattr(row, field)
        if not said or not returned:
            return refuse(row, "translation-empty", f"{field} {before!r}")
        if kind.asks and field == "target":
            if not (holds(returned, before) or holds(before, returned)):
                return refuse(row, "translation-loses-answer", f"{before!r} comes back as {returned!r}")
        elif score < settings.min_similarity:
            told = f"{field} {before!r} comes back as {returned!r}: {score:.2f}"
            return refuse(row, "translation-differs", f"{told}, at least {settings.min_similarity:g}")
    scores = {f"translation-{field}": score for field, (_, _, score) in found.items()}
    texts: dict[str, Any] = {field: said for field, (said, _, _) in found.items()}
    return replace(row, **texts, references=(), scores={**row.scores, **scores})


STEP = Step(
    "translate", "texts in another language, translated back to see what was lost", Translate, translate
)
