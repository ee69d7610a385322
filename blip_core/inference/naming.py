r"""Which option letter a free answer names, and where it stands.

Models answer in a letter, in a letter with its option, in a sentence or in JSON. A letter counts where the
answer decides for it; of the ways to decide, the more explicit one is believed:

1. what marks a final answer: `final answer`, `\boxed{}`, `<answer>`, `####`;
2. a declaration: `the answer is B`, `Answer: B`, `"answer": "B"`, `B is correct`, `I choose B`;
3. a first or last line that is the letter alone;
4. a first or last line that opens with the letter, set off as options are.

An answer that decides for two letters in the same way, or offers another one beside (`B or C`), names none.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blip_core.records import LETTERS, OPTION_LETTERS

# All repetitions are bounded, so that no text takes more than linear time.
_MARKS = r"""[\s*_`"'“”‘’«»„$#>(\[{（「【\\-]{0,12}"""  # what may stand before a letter
_CLOSING = r"""[*_`"'“”’»)\]}）」】$.:,;!?。、，：；！？…<|\\]"""  # what sets a letter off, directly after it
_LATIN = "A-Za-z0-9\u00c0-\u024f"
# A capital, full-width or not, or a small letter in brackets or quotes, that stands alone: not "I'd", "C++",
# "A-frame" or "B.C.".
_BEFORE = rf"(?<![{_LATIN}'’])"
_AFTER = rf"(?![{_LATIN}+#]|['’][a-z]|-\w|\.[A-Z]\.)"
_ALONE = rf"{_BEFORE}([A-J\uff21-\uff2a]|[a-j](?=[)\]}}\"”’<）])){_AFTER}"
# "A dog" and "I think" hold no letters; "A because" does.
_FUNCTION_WORDS = "because|since|as|for|due|which|based|given|in|on|from|and|or|but|is|was|would|with|not"
_ARTICLE = rf"(?<=A)(?=\s+[{_LATIN}])(?!\s+(?:{_FUNCTION_WORDS})\b)"
_PRONOUN = rf"(?<=I)(?=,|\s+[{_LATIN}])"
_LETTER = rf"{_ALONE}(?!{_ARTICLE}|{_PRONOUN})"
_SET_OFF = rf"{_ALONE}(?=(?<!I){_CLOSING}|I[^\w\s,]|\s*(?:\n|\Z)|\s{{1,3}}[-–—=]\s)"
_PLACE = rf"(?:(?i:the|option|choice|letter|answer|text|mathrm|mathbf|textbf|correct|is)\b{_MARKS}){{0,3}}"
_SURELY = r"(?:(?i:most likely|likely|probably|clearly|therefore|thus|definitely|indeed)\s{1,3}){0,2}"
_WORDS = (
    "(?i:answer|choice|option|letter|solution|prediction|antwort|respuesta|réponse|ответ|答案|答え|正解|정답)"
)
_ASIDE = r"""["'*_`\s]{0,6}(?:\([^()\n]{0,60}\))?["'*_`\s]{0,6}"""
_VERB = "(?i:is|would be|should be|must be|has to be|seems to be|appears to be|は|은|는|是|为|為)"
_MEANS = rf"{_ASIDE}(?:[:=：]|->|→|{_VERB}\s{{0,3}}:)"
_CHOOSE = "(?i:choose|pick|select|selected|go with|going with|opt for|say|think)"

_FINAL = re.compile(
    rf"(?:\\boxed\s?\{{|<answer>|<\|begin_of_box\|>|\#\#\#\#){_MARKS}{_PLACE}{_LETTER}"
    rf"|(?i:final (?:answer|choice)){_MEANS}{_MARKS}{_PLACE}{_SET_OFF}"
    rf"|(?i:final (?:answer|choice)){_ASIDE}{_VERB}\s{{0,3}}{_SURELY}{_MARKS}{_PLACE}{_LETTER}"
)
_DECLARED = re.compile(
    rf"{_WORDS}{_MEANS}{_MARKS}{_PLACE}{_SET_OFF}"
    rf"|{_WORDS}(?i: to (?:the|this|your) question| here| choice| option| letter)?{_ASIDE}{_VERB}\s{{0,3}}"
    rf"{_SURELY}{_MARKS}{_PLACE}{_LETTER}"
    rf"|\b(?i:it|that|this)(?i:['’]s| is| must be| would be)\s{{1,3}}{_SURELY}{_MARKS}{_PLACE}{_LETTER}"
    rf"|\b{_CHOOSE}\s{{1,3}}{_MARKS}{_PLACE}{_LETTER}"
    rf"|{_LETTER}[*_`\"')\].]{{0,4}}\s{{1,3}}(?i:is|seems|looks)\s{{1,3}}{_SURELY}"
    r"(?i:the )?(?i:most )?(?i:likely )?(?i:correct|right|best|likely|answer)\b"
)
_LINE_ALONE = re.compile(rf"{_MARKS}{_PLACE}{_ALONE}[\s\W]{{0,12}}\Z")
_LINE_OPENING = re.compile(rf"{_MARKS}{_PLACE}{_SET_OFF}")

_DENIED = re.compile(r"(?i:\b(?:not|never|neither|nor|cannot|if|whether)\b|n['’]t\b)[^.!?;,\n]{0,80}\Z")
_LOOK_BACK = 100  # characters in which a clause says that it denies
_ANOTHER = re.compile(
    r"""[\s*_`"'“”’)\]}）(]{0,8}(?:\.?\s?(?i:or|and/or|versus|vs)\b\.?|(?i:and)\b|[/&|+,、]|또는|または|或)"""
    rf"(?:\s{{0,3}}(?i:or|and)\b)?{_MARKS}(?:(?i:maybe|possibly|perhaps|even|also|either)\s{{1,3}}){{0,2}}"
    rf"{_PLACE}{_LETTER}"
)
_LATER_ALTERNATIVE = re.compile(rf"[^\n]{{0,200}}?(?:\b(?i:or)\b|/)\s{{0,3}}\(?{_ALONE}[).:]")


@dataclass(frozen=True, slots=True)
class NamedLetter:
    """A letter that an answer decides for.

    Attributes:
        letter: A to J.
        place: index of the character that it stands at.
    """

    letter: str
    place: int


def named_letter(text: str, offered: int = len(LETTERS)) -> NamedLetter | None:
    """The option letter that a free answer decides for; None where it decides for none that is offered.

    Args:
        text: the answer, without what was thought before it.
        offered: how many options there are; a letter beyond them is none.
    """
    for found in (_marked(text, _FINAL), _marked(text, _DECLARED), _lines_alone(text), _opening_lines(text)):
        decided = list(found)
        if decided:
            return _agreed(decided, OPTION_LETTERS[:offered])
    return None


def _agreed(decided: list[tuple[NamedLetter, bool]], offered: Iterable[str]) -> NamedLetter | None:
    """The one letter that all decide for; None where they differ, or another one is offered beside it."""
    named, _ = decided[0]
    if named.letter not in offered or any(hedged for _, hedged in decided):
        return None
    return named if len({one.letter for one, _ in decided}) == 1 else None


def _marked(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[NamedLetter, bool]]:
    for match in pattern.finditer(text):
        if not _DENIED.search(text, max(0, match.start() - _LOOK_BACK), match.start()):
            yield _named(match), _is_hedged(text, match)


def _lines_alone(text: str) -> Iterator[tuple[NamedLetter, bool]]:
    lines = _lines(text)
    for start, end in {lines[0], lines[-1]} if lines else ():
        match = _LINE_ALONE.match(text[:end], start)
        if match:
            yield _named(match), False


def _opening_lines(text: str) -> Iterator[tuple[NamedLetter, bool]]:
    """Lines that open with a letter, if the first or last is one of them; a list of options has several."""
    lines = _lines(text)
    found = [(line, _LINE_OPENING.match(text, *line)) for line in lines]
    if not any(match for line, match in found if line in (lines[0], lines[-1])):
        return
    for _, match in found:
        if match:
            yield _named(match), _is_hedged(text, match) or _lists_options(text, match)


def _lists_options(text: str, match: re.Match[str]) -> bool:
    """Whether the next option follows on the same line, set off in the same way."""
    named = _named(match)
    sign = text[named.place + 1 : named.place + 2]
    following = chr(ord(named.letter) + 1)
    line = text[named.place : text.find("\n", named.place) % (len(text) + 1)]
    return sign in (")", ".", ":") and re.search(rf"[\s(]{following}\{sign}\s", line) is not None


def _is_hedged(text: str, match: re.Match[str]) -> bool:
    """Whether another letter is offered right after the one that was found."""
    named = _named(match)
    others = (pattern.match(text, named.place + 1) for pattern in (_ANOTHER, _LATER_ALTERNATIVE))
    return any(other is not None and _named(other).letter != named.letter for other in others)


def _named(match: re.Match[str]) -> NamedLetter:
    """The letter of a match, which stands in the one group that took part in it."""
    group = match.lastindex or 0
    letter = unicodedata.normalize("NFKC", match.group(group)).upper()
    return NamedLetter(letter, match.start(group))


def _lines(text: str) -> list[tuple[int, int]]:
    """Where lines that hold anything begin and end."""
    spans = (match.span() for match in re.finditer(r"[^\n]+", text))
    return [(start, end) for start, end in spans if not text[start:end].isspace()]
