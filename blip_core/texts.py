"""When two texts are the same: only where that is certain.

Texts are compared exactly, after Unicode's canonical composition (NFC, Unicode Standard Annex 15): "é" is
the same however a system writes it, while FF, Ff and ff are three genotypes, 5 mW and 5 MW two powers. Case,
width and spaces are left out of account only to find a text among others where none is the same, and only if
that leaves a single one.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_WIDTHS = ("<wide>", "<narrow>")  # tags of a character's decomposition where width alone is lost
_INVISIBLE = "Cf"  # joiners, marks of direction and of byte order: Unicode's category of format characters
_KEPT = 4_096  # texts: a row is compared in several ways, and words such as "yes" come again
_ENDS = " .。"


def exact(text: str) -> str:
    """What tells a text from every other one."""
    return unicodedata.normalize("NFC", text)


def is_repeated(texts: Sequence[str]) -> bool:
    """Whether two of the texts are the same."""
    return len(set(map(exact, texts))) < len(texts)


def are_alike(texts: Sequence[str]) -> bool:
    """Whether two of the texts differ in case, width or spaces alone, or in nothing."""
    return len(set(map(loose, texts))) < len(texts)


def without_width(text: str) -> str:
    """A text with full-width and half-width characters as they are written elsewhere."""
    return text if text.isascii() else exact("".join(map(_plain_width, text)))


@lru_cache(maxsize=_KEPT)
def loose(text: str) -> str:
    """A text without case, width, the number of its spaces and a full stop at its end."""
    seen = text if text.isascii() else "".join(filter(_is_visible, without_width(text)))
    return exact(" ".join(seen.casefold().split()).rstrip(_ENDS))


def places_of(text: str, among: Sequence[str]) -> list[int]:
    """The places of the texts that one may mean: of those that are the same, else of those alike.

    More than one place says that it cannot be told which is meant. Empty texts are never meant.
    """
    same = [place for place, other in enumerate(among) if other and exact(other) == exact(text)]
    if same:
        return same
    return [place for place, other in enumerate(among) if other and loose(other) == loose(text)]


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) != _INVISIBLE


def _plain_width(char: str) -> str:
    tag, *code_points = unicodedata.decomposition(char).split() or [""]
    return "".join(chr(int(code, 16)) for code in code_points) if tag in _WIDTHS else char
