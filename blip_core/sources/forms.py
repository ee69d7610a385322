"""The forms in which a single answer is written: letter, number or text, bare or decorated."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

from blip_core.recipes.columns import Reading
from blip_core.records import OPTION_LETTERS
from blip_core.sources.cells import MAX_OPTION_CHARACTERS, RowRefused, checked_text, is_absent, shown
from blip_core.sources.columns import plain_name
from blip_core.sources.listing import label_of
from blip_core.sources.options import Options
from blip_core.texts import exact, loose, places_of, without_width

READINGS: tuple[Reading, ...] = get_args(Reading)

_HIDDEN = frozenset(
    [
        *("-1", "?", "??", "???", "-", "--", "–", "—", "*", "[]", "n/a", "na", "<na>", "#n/a"),
        *("none", "null", "nil", "nan", "nat", "hidden", "empty", "unknown", "missing", "undefined"),
        *("tbd", "비공개", "없음"),
    ]
)
"""What stands in place of an answer that is kept back; benchmarks hide those of their test rows."""

_AROUND = " \t\n\r()[]{}<>.:,;'\"`‘’“”「」『』【】〔〕、。"
_ASKED = re.compile(
    r"(?:(?:the )?(?:correct |right |final )?answer(?: is)?(?=[\s:=(\[])"
    r"|(?:option|choice|answer|opt)(?=[\s_#-]*\w{1,2}$)"
    r"|정답|답|보기|선택지|答案|答え|正解|選択肢|选项|選項)[\s:=_#-]*",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"第?(\d+)\s*[번番号號호]|第(\d+)")
_NUMBER = re.compile(r"\+?0*(\d{1,3})(?:[.,]0{1,2})?")
_VALUE = re.compile(r"[+-]?\d+(?:\.\d+|,\d{1,2})?")
_PARTED = re.compile(r"([A-Za-z]|\d{1,2})(?:\s+[-–—]\s+|\s*[:：]\s*)(.+)", re.DOTALL)
_CIRCLED = re.compile("[①-⑳⑴-⒛❶-❿➀-➓]")  # numbers of a list's points, which begin at 1
_SERIES = (
    *("가나다라마바사아자차", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊ", "㉮㉯㉰㉱㉲㉳㉴㉵㉶㉷", "㉠㉡㉢㉣㉤㉥㉦㉧㉨㉩"),
    *("甲乙丙丁戊己庚辛壬癸", "アイウエオカキクケコ"),
)
"""What options are called in place of letters in Korean, Chinese and Japanese."""
_MOST_WORDS = 2  # before a letter: "Answer: option B"
_TRUTHS = {"false": 0, "true": 1}  # what a column of truths counts
_YES = frozenset(("yes", "true", "correct", "예", "네", "참", "はい", "是", "对", "對"))
_NO = frozenset(("no", "false", "incorrect", "아니오", "아니요", "거짓", "いいえ", "否", "不是", "错", "錯"))
_SHORT_YES, _SHORT_NO = frozenset(("1", "y", "t")), frozenset(("0", "n", "f"))  # of answers, never of options


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says under each way of reading.

    Attributes:
        places: the option's place, counted from 0, by reading; those that find none are absent.
        is_number: whether it is a number, of an option or of none, or true or false, which are 1 and 0.
        is_truth: whether it is true or false in words, and no option's text.
        alike: places whose texts it is like, where it is the same as none and like several.
    """

    places: Mapping[Reading, int]
    is_number: bool = False
    is_truth: bool = False
    alike: Sequence[int] = ()


def answer_text(value: Any) -> str:
    """The answer that a cell holds; a list of one is that one.

    Raises:
        RowRefused: `several-answers`, or see `read_text`.
    """
    if isinstance(value, list | tuple):
        texts = [answer_text(one) for one in value if not is_absent(one)]
        if len(set(map(exact, texts))) > 1:
            several = " and ".join(map(shown, texts))
            raise RowRefused("several-answers", f"the answers are {several}; one is asked for")
        return texts[0] if texts else ""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return checked_text(value, "answer", MAX_OPTION_CHARACTERS)


def is_hidden(answer: str) -> bool:
    """Whether a text stands where an answer is kept back."""
    return loose(answer) in _HIDDEN


def understand(answer: str, options: Options, names: Mapping[str, int]) -> Said:
    """What an answer to a question with these options says.

    Args:
        answer: its text, not empty.
        options: of its row.
        names: plain names of the columns of single options -> place.

    Raises:
        RowRefused: `contradicting-answer`: letter and text in it are those of different options, or an
            option stands at one letter and bears another.
    """
    bare = _bare(answer)
    texts = _places_by_text([answer], options)
    label, rest = ("", "") if texts else _label_and_rest(answer)
    by_rest = places_of(rest, options.texts) if rest else []
    letter = _place_by_letter(label if by_rest else bare, answer, options, names)
    if by_rest:
        texts = _agreed(answer, _places_said(label, letter), by_rest, options)
    elif not texts:
        texts = _places_by_text([answer.strip(_AROUND), _unasked(answer)], options)
    is_named = plain_name(answer) in names or _own_label(bare, options) is not None
    number = None if is_named else _number(bare)
    truth = None if texts else _TRUTHS.get(loose(bare))
    found: dict[Reading, int | None] = {
        "letters": letter,
        "texts": texts[0] if len(texts) == 1 else None,
        "truths": None if is_named else _place_of_truth(_truth(bare), options),
        "from-zero": truth if number is None else number,
        "from-one": None if number is None else number - 1,
    }
    offered = range(options.offered)
    places = {reading: place for reading, place in found.items() if place is not None and place in offered}
    is_number = number is not None or truth is not None
    return Said(places, is_number, truth is not None, texts if len(texts) > 1 else ())


def _bare(answer: str) -> str:
    """An answer without width, brackets, quotes, and words such as "option" before a letter."""
    return _unasked(without_width(answer).replace("**", ""))


def _unasked(text: str) -> str:
    """A text without what asks for it: "Answer: option B" is B."""
    for _ in range(_MOST_WORDS):
        text = text.strip(_AROUND)
        found = _ASKED.match(text)
        text = text[found.end() :] if found else text
    return text.strip(_AROUND)


def _places_by_text(forms: Sequence[str], options: Options) -> list[int]:
    """The options that one of the forms may mean, by text, else by value: 2.0 is 2."""
    for form in forms:
        places = places_of(form, options.texts) if form else []
        if places:
            return places
    value = _value(forms[0])
    if value is None:
        return []
    return [place for place, text in enumerate(options.texts) if text and _value(text) == value]


def _value(text: str) -> Decimal | None:
    plain = without_width(text)
    return Decimal(plain.replace(",", ".")) if _VALUE.fullmatch(plain) else None


def _label_and_rest(answer: str) -> tuple[str, str]:
    """The two parts of "B. a boat", of "(2) a boat" and of "B - a boat"."""
    plain = without_width(answer)
    asked = _ASKED.match(plain)
    text = plain[asked.end() :] if asked else plain
    parted = _PARTED.fullmatch(text)
    if parted:
        return parted[1].upper(), parted[2]
    label, rest = label_of(text)
    return label, rest if label else ""


def _place_by_letter(bare: str, answer: str, options: Options, names: Mapping[str, int]) -> int | None:
    """The place of the option that is called so: by its row, by its column, or by its letter."""
    own = _own_label(bare, options)
    places = {
        place
        for place in (own, names.get(plain_name(answer)), _place_of_letter(bare))
        if place is not None and place < options.offered
    }
    if len(places) > 1:
        first, second = sorted(places)
        raise RowRefused(
            "contradicting-answer",
            f"answer {shown(answer)} could mean the option at {OPTION_LETTERS[first]} or that at "
            f"{OPTION_LETTERS[second]}: the row gives its options other letters than their places do",
        )
    return places.pop() if places else None


def _own_label(bare: str, options: Options) -> int | None:
    labels = [loose(label) for label in options.labels]
    return labels.index(loose(bare)) if bare and loose(bare) in labels else None


def _place_of_letter(bare: str) -> int | None:
    if len(bare) != 1:
        return None
    if _CIRCLED.fullmatch(bare):
        return int(unicodedata.numeric(bare)) - 1
    for series in _SERIES:
        if bare in series:
            return series.index(bare)
    plain = unicodedata.normalize("NFKC", bare).strip(_AROUND).upper()
    is_marked = unicodedata.category(bare) == "So"  # a letter in a circle or in brackets
    letter = plain if is_marked else bare.upper()
    return OPTION_LETTERS.index(letter) if letter in OPTION_LETTERS else None


def _truth(bare: str) -> bool | None:
    word = loose(bare)
    number = _number(bare)
    if number in (0, 1):
        return bool(number)
    return True if word in _YES | _SHORT_YES else False if word in _NO | _SHORT_NO else None


def _place_of_truth(truth: bool | None, options: Options) -> int | None:
    """The option that says yes, or no, where one says either."""
    words = [loose(text) for text in options.texts]
    yes = [place for place, word in enumerate(words) if word in _YES]
    no = [place for place, word in enumerate(words) if word in _NO]
    if truth is None or len(yes) != 1 or len(no) != 1:
        return None
    return yes[0] if truth else no[0]


def _number(bare: str) -> int | None:
    counted = _COUNTED.fullmatch(bare)
    found = _NUMBER.fullmatch(counted[1] or counted[2] if counted else bare)
    return int(found[1]) if found else None


def _places_said(label: str, letter: int | None) -> set[int]:
    """Where the option may stand that a label before a text speaks of: numbers count from 0 or from 1."""
    if letter is not None:
        return {letter}
    number = _number(label)
    return set() if number is None else {number, number - 1}


def _agreed(answer: str, said: set[int], by_rest: Sequence[int], options: Options) -> list[int]:
    """The one option that both the label and the text of an answer speak of."""
    agreed = [place for place in by_rest if place in said]
    if len(agreed) == 1:
        return agreed
    told = " and ".join(f"{shown(options.texts[place])} is {OPTION_LETTERS[place]}" for place in by_rest)
    raise RowRefused("contradicting-answer", f"answer {shown(answer)} contradicts itself: {told}")
