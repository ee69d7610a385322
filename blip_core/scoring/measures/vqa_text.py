"""Short answers as the VQA evaluation compares them (Antol et al. 2015; visualqa.org, evaluation code).

Case, articles and most punctuation do not count, numbers in words are numbers, and an apostrophe that was
left out of a contraction is put back.
"""

import re

_ARTICLES = frozenset({"a", "an", "the"})
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(number) for number, word in enumerate(_DIGITS)} | {"none": "0"}

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD = re.compile(r"\.(?!\d)")
_DIGIT_GROUPS = re.compile(r"\d,\d")

_NEGATED = (
    *("are", "ca", "could", "did", "does", "do", "had", "has", "have", "is", "might", "must", "need"),
    *("should", "was", "were", "wo", "would", "ai"),
)
_SUBJECTS = (
    *("it", "that", "there", "they", "we", "what", "when", "where", "who", "why", "you", "how"),
    *("somebody", "someone", "something", "everybody"),
)
_OTHER_WORDS = frozenset({"were", "well", "wed", "its"})  # what their contractions would be read as


def _contractions() -> dict[str, str]:
    """Contractions without their apostrophe -> with it, but for those that are words of their own."""
    found = {f"{verb}nt": f"{verb}n't" for verb in _NEGATED}
    found |= {f"{verb}ve": f"{verb}'ve" for verb in ("could", "might", "must", "should", "would")}
    for end in ("d", "ll", "re", "s", "ve"):
        found |= {f"{subject}{end}": f"{subject}'{end}" for subject in _SUBJECTS}
    found |= {
        "hes": "he's",
        "shes": "she's",
        "im": "i'm",
        "ive": "i've",
        "yall": "y'all",
        "oclock": "o'clock",
    }
    return {bare: whole for bare, whole in found.items() if bare not in _OTHER_WORDS}


_CONTRACTIONS = _contractions()


def normalised_answer(text: str) -> str:
    """An answer without what the evaluation does not look at."""
    flat = _without_marks(" ".join(text.split())).lower()
    words = [_NUMBERS.get(word, word) for word in flat.split() if word not in _ARTICLES]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words)


def _without_marks(text: str) -> str:
    """A mark at the edge of a word goes; one inside parts two words, unless digits are grouped by commas."""
    grouped = _DIGIT_GROUPS.search(text) is not None
    bare = text
    for mark in _MARKS:
        at_an_edge = f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if at_an_edge or grouped else " ")
    return _PERIOD.sub("", bare)
