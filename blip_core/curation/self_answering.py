"""Gate: questions that can be answered by reading them, without the picture.

What is looked for needs no model: the right option's own words in the question, a question in the plural to
which one option is plural, a question for a number or a colour to which one option is one. What reads as
likely rather than as grammar is not found. A row's fate depends on its own texts alone.
"""

import re
from collections.abc import Callable, Sequence

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import shown
from blip_core.curation.telling_words import telling_words
from blip_core.kinds.mcq import listed
from blip_core.recipes.curation_of_texts import SelfAnswering
from blip_core.records import OPTION_LETTERS, Example, Rejection
from blip_core.scoring.measures.lemmas import lemmatised
from blip_core.scoring.measures.wording import words_of

_FEWEST_OPTIONS = 3  # of two, one always stands alone
_NUMBER_WORDS = "no none zero one two three four five six seven eight nine ten eleven twelve dozen hundred"
_COLOUR_WORDS = """
red green blue yellow orange purple violet pink brown black white grey gray beige golden silver turquoise
"""
_NUMBERS = frozenset(_NUMBER_WORDS.split())
_COLOURS = frozenset(_COLOUR_WORDS.split())
_ARTICLES = frozenset({"a", "an", "the", "some", "several", "many", "few"})
_FOR_NUMBER = re.compile(r"\bhow many\b|\bwhat number\b", re.I)
_FOR_COLOUR = re.compile(r"\b(what|which) colou?r\b", re.I)
# What is asked for is the subject: "what are these"; not so in "what are the dogs doing".
_IN_PLURAL = re.compile(
    r"\b(?:what|who) (?:are|were)(?: (?:these|those|they|there|shown|visible|seen|in|on|at|behind)\b|\W*$)"
    r"|\b(?:what|which) (\w+) (?:are|were|stand|sit|lie|grow|fly)\b",
    re.I,
)


def refuse_self_answering(rows: Sequence[Example], settings: SelfAnswering) -> Kept:
    """Refuse questions with three options or more whose wording gives the answer away.

    Reasons: `words-in-question`, `only-plural-option`, `only-number`, `only-colour`.
    """
    return part(rows, lambda row: _judge(row, settings.min_share))


def _judge(row: Example, min_share: float) -> Rejection | None:
    options = listed(row)
    if len(options) < _FEWEST_OPTIONS or row.answer not in OPTION_LETTERS[: len(options)]:
        return None
    right = OPTION_LETTERS.index(row.answer)
    asked = f"{row.context}\n{row.question}" if row.context else row.question
    if said := _said_of_right(asked, options, right, min_share):
        detail = f"{shown(asked)} says {', '.join(sorted(said))}, as {shown(options[right])} alone does"
        return refuse(row, "words-in-question", detail)
    for reason, is_asked_for, fits in _FORMS:
        if is_asked_for(row.question) and [place for place, one in enumerate(options) if fits(one)] == [
            right
        ]:
            detail = f"of {' | '.join(options)} only {shown(options[right])} fits {shown(row.question)}"
            return refuse(row, reason, detail)
    return None


def _said_of_right(asked: str, options: Sequence[str], right: int, min_share: float) -> frozenset[str]:
    """Words that a question shares with the right option; none where it shares any with another one."""
    question = telling_words(asked)
    words = [telling_words(option) for option in options]
    own = words[right].difference(*(words[place] for place in range(len(options)) if place != right))
    said = own & question
    others = any((one - words[right]) & question for place, one in enumerate(words) if place != right)
    return said if said and not others and len(said) >= min_share * len(own) else frozenset()


def _asks_in_plural(question: str) -> bool:
    found = _IN_PLURAL.search(question)
    return found is not None and (found.group(1) is None or _is_plural_word(found.group(1)))


def _is_plural(option: str) -> bool:
    """Whether an option names several: by its number, or by the noun before its first preposition."""
    words = words_of(option)
    if words and words[0] in _NUMBERS:
        return words[0] not in ("one", "no", "none")
    named = [word for word in words if word not in _ARTICLES]
    ends = next(
        (place for place, word in enumerate(named) if word in ("of", "in", "on", "at", "with")), len(named)
    )
    return ends > 0 and _is_plural_word(named[ends - 1])


def _is_plural_word(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith("ss") and lemmatised(word) != word


def _all_in(words: frozenset[str]) -> Callable[[str], bool]:
    def fits(option: str) -> bool:
        said = [word for word in words_of(option) if word not in ("about", "light", "dark", "and")]
        return bool(said) and all(word in words or word.isdecimal() for word in said)

    return fits


_FORMS: tuple[tuple[str, Callable[[str], object], Callable[[str], bool]], ...] = (
    ("only-plural-option", _asks_in_plural, _is_plural),
    (
        "only-number",
        _FOR_NUMBER.search,
        lambda option: bool(set(words_of(option)[:1]) & _NUMBERS) or option[:1].isdecimal(),
    ),
    ("only-colour", _FOR_COLOUR.search, _all_in(_COLOURS)),
)


GATE = Gate(
    "self_answering",
    "questions that give their answer away",
    SelfAnswering,
    refuse_self_answering,
    kinds=frozenset({"mcq"}),
)
