"""Step: questions with answers, from attributes by templates or from texts by a language model.

A question that a model wrote is asked back: its answer must be found again in the text that it was made of
(round-trip consistency: Alberti et al. 2019, arXiv 1906.05416).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any

from blip_core.annotating.attributes import filled
from blip_core.annotating.step import Context, Step, Worked, batches, refuse, text_of
from blip_core.kinds.label_text import Refusal, parse_free_answer
from blip_core.ports import Span
from blip_core.recipes.annotations import Ask
from blip_core.records import Example, Rejection
from blip_core.texts import loose

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Question:
    """A question about a row: reason and detail of a refusal stand in `refusal`, which is empty for none."""

    row: Example
    question: str = ""
    answer: str = ""
    refusal: tuple[str, ...] = ()


def ask(rows: Sequence[Example], settings: Ask, context: Context) -> Worked:
    """Ask about each row; a question is a row of its own, in the split of the one that it is about.

    Reasons: `attribute-missing` and `attribute-undefined` of templates; `nothing-to-ask-about`, those of a
    label that cannot be read, `answer-not-in-text`, `no-span` and `answer-not-found-again` of a writer.
    """
    if settings.by == "templates":
        asked = [
            _from_template(row, one.question, one.answer, settings)
            for row in rows
            for one in settings.templates
        ]
    else:
        asked = _written(rows, settings, context)
    kept = list(rows) if settings.keep_asked else []
    refused: list[Rejection] = []
    numbers: dict[str, int] = {}
    for one in asked:
        number = numbers[one.row.id] = numbers.get(one.row.id, -1) + 1
        named = replace(one.row, id=f"{one.row.id}-a{number}")
        if one.refusal:
            refused.append(refuse(named, *one.refusal))
        else:
            kept.append(_row(named, one.question, one.answer))
    return sorted(kept, key=lambda row: row.id), refused


def _row(row: Example, question: str, answer: str) -> Example:
    empty: dict[str, Any] = {"a": "", "b": "", "c": "", "d": "", "more": (), "answer": "", "references": ()}
    return replace(row, task="vqa", question=question, target=answer, **empty)


def _from_template(row: Example, question: str, answer: str, settings: Ask) -> _Question:
    places = {name for _, name, _, _ in Formatter().parse(question + answer) if name}
    for name in sorted(places):
        if name not in row.attributes and not hasattr(row, name):
            return _Question(row, refusal=("attribute-missing", f"the row has no attribute {name}"))
        if row.attributes.get(name) in ("", settings.undefined):
            return _Question(row, refusal=("attribute-undefined", f"{name} is {settings.undefined}"))
    return _Question(row, filled(question, row), filled(answer, row))


def _written(rows: Sequence[Example], settings: Ask, context: Context) -> list[_Question]:
    """What a writer asks about each row, by its number; what cannot be asked or found again is refused."""
    made: list[_Question] = []
    for number in range(settings.per_row):
        for batch in batches(rows, settings.batch_size):
            full = [row for row in batch if text_of(row, settings.text).strip()]
            written = dict(zip(map(id, full), _write(full, number, settings, context), strict=True))
            empty = ("nothing-to-ask-about", f"{settings.text} is empty")
            made += [written.get(id(row), _Question(row, refusal=empty)) for row in batch]
    return _checked(made, settings, context)


def _write(rows: Sequence[Example], number: int, settings: Ask, context: Context) -> list[_Question]:
    if not rows:
        return []
    prompts = [settings.prompt.format(text=text_of(row, settings.text)) for row in rows]
    texts = context.models.open("writer").write(prompts, context.seeds(rows, "ask", number))
    return [_parsed(row, text) for row, text in zip(rows, texts, strict=True)]


def _parsed(row: Example, text: str) -> _Question:
    parsed = parse_free_answer(text)
    if isinstance(parsed, Refusal):
        return _Question(row, refusal=(parsed.reason, parsed.detail))
    return _Question(row, parsed.question, parsed.answer)


def _checked(asked: Sequence[_Question], settings: Ask, context: Context) -> list[_Question]:
    """The questions, those refused whose answer is not found again."""
    if settings.check == "none":
        return list(asked)
    if settings.check == "text":
        return [one if one.refusal else replace(one, refusal=_not_in_text(one, settings)) for one in asked]
    made: list[_Question] = []
    for start in range(0, len(asked), settings.batch_size):
        batch = asked[start : start + settings.batch_size]
        sound = [one for one in batch if not one.refusal]
        texts = [text_of(one.row, settings.text) for one in sound]
        spans = context.models.open("reader").read([one.question for one in sound], texts) if sound else []
        found = dict(zip(map(id, sound), spans, strict=True))
        made += [
            one if one.refusal else replace(one, refusal=_disagrees(one, found[id(one)])) for one in batch
        ]
    return made


def _not_in_text(one: _Question, settings: Ask) -> tuple[str, ...]:
    text = text_of(one.row, settings.text)
    return () if holds(text, one.answer) else ("answer-not-in-text", f"{one.answer!r} is not in {text!r}")


def _disagrees(one: _Question, span: Span | None) -> tuple[str, ...]:
    if span is None:
        return "no-span", f"the reader finds no answer to {one.question!r}"
    if holds(span.text, one.answer) or holds(one.answer, span.text):
        return ()
    return "answer-not-found-again", f"{one.question!r}: the reader finds {span.text!r}, not {one.answer!r}"


def holds(text: str, words: str) -> bool:
    """Whether a text has some words in one run, case and signs left out of account; never for no words."""
    inside, wanted = _WORD.findall(loose(text)), _WORD.findall(loose(words))
    starts = range(len(inside) - len(wanted) + 1)
    return bool(wanted) and any(inside[start : start + len(wanted)] == wanted for start in starts)


STEP = Step("ask", "questions from attributes by templates, or from texts by a language model", Ask, ask)
