"""Step: a text is mended by a language model, which may return it, or by rules; the text before is kept.

Language models like to talk about a text instead of mending it. Such an answer is told by its words: a mended
text has mostly words that the text had, and does not begin or end as an explanation does.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from blip_core.annotating.step import Context, Step, Worked, batches, part, refuse, text_of, with_text
from blip_core.recipes.annotations import Repair
from blip_core.records import Example, Rejection
from blip_core.scoring.measures.wording import is_finished
from blip_core.texts import exact, loose

MAX_GROWTH = 1.5  # of the number of words: mending adds a few, explaining many
_SENTENCE_END = re.compile(r"(?<=[.!?。！？…])\s+")
_WORD = re.compile(r"\w+")
_TALK = re.compile(
    r"^(?:corrected(?: text| version)?\s*:|(?:sure|certainly|of course|okay|here(?: is|'s| are)"
    r"|i(?: have|'ve| am|'m| corrected| fixed| changed| cannot)|as an ai|explanation|note"
    r"|(?:the|this|your) (?:text|sentence|description|paragraph|original|corrected|above)"
    r"|there (?:is|are) no (?:mistakes?|errors?))\b)",
    re.IGNORECASE,
)
_NOTE = re.compile(r"\n\s*(?:explanation|note|changes?(?: made)?|corrections?)\s*:", re.IGNORECASE)


def repair(rows: Sequence[Example], settings: Repair, context: Context) -> Worked:
    """Take the mended text; a row whose mender gives none is refused.

    Reasons: `nothing-to-repair`, `repair-empty`, `repair-explains`, `repair-is-another-text`.
    """
    asked = [row for row in rows if text_of(row, settings.text).strip()]
    said: dict[int, str] = {}
    for batch in batches(asked, settings.batch_size):
        said.update(zip(map(id, batch), _mended(batch, settings, context), strict=True))

    def mend(row: Example) -> Example | Rejection:
        if id(row) not in said:
            return refuse(row, "nothing-to-repair", f"{settings.text} is empty")
        before, after = text_of(row, settings.text).strip(), _unquoted(said[id(row)])
        reason = wrong_repair(before, after, settings.min_kept)
        if reason:
            return refuse(row, reason, f"{after!r} in place of {before!r}")
        if exact(before) == exact(after):
            return row
        return replace(with_text(row, settings.text, " ".join(after.split())), mended=before)

    return part(rows, mend)


def _mended(rows: Sequence[Example], settings: Repair, context: Context) -> list[str]:
    texts = [text_of(row, settings.text) for row in rows]
    if settings.by == "rules":
        return [without_defects(text) for text in texts]
    prompts = [settings.prompt.format(text=text) for text in texts]
    answers: list[str] = context.models.open("writer").write(prompts, context.seeds(rows, "repair"))
    return answers


def without_defects(text: str) -> str:
    """A text without the sentences that came before in it, and without an end that is no whole sentence.

    Nothing is put in their place: rules leave out, they do not rewrite.
    """
    kept: dict[str, str] = {}
    for sentence in _SENTENCE_END.split(text.strip()):
        if is_finished(sentence):
            kept.setdefault(loose(sentence), sentence)
    return " ".join(kept.values())


def wrong_repair(before: str, after: str, min_kept: float) -> str:
    """Why an answer is no mended text: a reason; empty, it is one.

    Args:
        before: the text.
        after: what the mender answers.
        min_kept: least share of the answer's words that the text had.
    """
    if not after:
        return "repair-empty"
    if exact(before) == exact(after):
        return ""
    talks = _TALK.match(after) and not _TALK.match(before)
    if (
        talks
        or _NOTE.search(after)
        or (before in after and len(after.split()) > MAX_GROWTH * len(before.split()))
    ):
        return "repair-explains"
    return "repair-is-another-text" if _share_kept(before, after) < min_kept else ""


def _share_kept(before: str, after: str) -> float:
    had, has = (Counter(_WORD.findall(text.casefold())) for text in (before, after))
    return (had & has).total() / max(has.total(), 1)


def _unquoted(text: str) -> str:
    """An answer without the marks that are put around it as a whole."""
    text = text.strip()
    for mark in ('"', "'", "`"):
        if len(text) > 1 and text[0] == text[-1] == mark and mark not in text[1:-1]:
            return text[1:-1].strip()
    return text


STEP = Step(
    "repair", "texts mended by a language model or by rules, the text before kept beside", Repair, repair
)
