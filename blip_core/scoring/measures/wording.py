"""How a text is worded, whatever it should say: length, variety, repetition, whether it comes to an end."""

import re
from collections.abc import Callable, Sequence

from blip_core.scoring.measures.measure import Measure, each

REPEATED_WORDS = 4  # words in a row that, said again, are a repetition: shorter phrases return in good prose

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_END = re.compile(r"[.!?。！？…][\"'”’»)\]]*$")


def words_of(text: str) -> list[str]:
    """Lower-case words, punctuation aside."""
    return _WORD.findall(text.lower())


def distinct(text: str, order: int) -> float | None:
    """Share of different n-grams among all (Li et al. 2016, arXiv 1510.03055); None where there are none."""
    grams = _grams(words_of(text), order)
    return len(set(grams)) / len(grams) if grams else None


def repetition(text: str) -> float | None:
    """Share of runs of `REPEATED_WORDS` words that came before in the text; None where it is shorter."""
    different = distinct(text, REPEATED_WORDS)
    return None if different is None else 1 - different


def is_finished(text: str) -> float:
    """1 where the text ends as sentences do."""
    return float(_END.search(text.rstrip()) is not None)


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(order)), strict=False))


def _of_text(value: Callable[[str], float | None]) -> Callable[..., list[float | None]]:
    return each(lambda one: value(one.text) if one.text else None)


_TEXTS = frozenset({"caption", "vqa"})
MEASURES = (
    Measure("words", "words", _of_text(lambda text: float(len(words_of(text)))), _TEXTS, "neither", None),
    Measure("distinct-1", "share of different words", _of_text(lambda text: distinct(text, 1)), _TEXTS),
    Measure(
        "distinct-2", "share of different pairs of words", _of_text(lambda text: distinct(text, 2)), _TEXTS
    ),
    Measure("repetition", "share of repeated phrases", _of_text(repetition), _TEXTS, "less"),
    Measure("finished", "share of texts that end as sentences do", _of_text(is_finished), _TEXTS),
)
