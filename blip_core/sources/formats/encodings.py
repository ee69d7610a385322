"""How the text of a file is encoded: as somebody says, as its first bytes say, or as all of them tell.

A file is UTF-8 where all of its bytes are, and where most lines that are not ASCII are: then the others cost
their own rows. Any other file is in one encoding throughout. chardet ranks those that spreadsheets save in;
the best is taken where no other one that gives another text comes near, else the file is refused and both are
named.
"""

import codecs
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from encodings.aliases import aliases
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import chardet

from blip_core.errors import TableError

UTF_8 = "utf-8"
_UTF_8_MARKED = "utf-8-sig"
ADVICE = 'save it as UTF-8, or say which it is: --encoding NAME, or encoding = "NAME" in a recipe'

_MARKS = (  # longest first: the mark of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, _UTF_8_MARKED),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = (  # what spreadsheets and databases save in, Windows' code pages first
    *("cp949", "cp932", "gb18030", "big5hkscs", "euc-jp", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254"),
    *("cp1255", "cp1256", "cp1257", "cp874", "koi8-r", "mac-roman"),
)
_BETWEEN_CELLS = re.compile(rb'[\r\n\t,;"]+')  # bytes that end no character of any candidate
_SAMPLE_BYTES = 200_000  # of cells that are not ASCII: what chardet looks at
_CHUNK_BYTES = 1 << 20
_UTF_16_SHARE = 0.05  # of bytes that are zero, at least: delimiters, digits and line ends are ASCII

_SPARE_ZEROS = 0.1  # of those: some characters, such as \uac00, are zero in their lower half
_LINE_FEED = ord("\n")
_CERTAIN_CHARACTERS = 3  # of UTF-8 in one line, all sound: too many for chance
_THREE_BYTES = "\u0800"  # from here on UTF-8 takes three bytes, which other encodings hardly ever look like
_CERTAIN_WEIGHT = 10  # broken lines that one line of certain UTF-8 outweighs
_FEW_LINES = 0.5  # share of broken lines up to which the others are read all the same
_NAMED = 2  # encodings, in a message
_EXCERPT_CHARACTERS = 30

_NEVER_WRITTEN = ("Cc", "Co", "Cn")  # control characters, private ones, and those that do not exist
_WITHIN_WORDS = "’'·-‐"
_EAST_ASIAN = "east asian"
_EAST_ASIAN_NAMES = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "FULLWIDTH", "HALFWIDTH")

# Measured on words of 20 languages, 1 to 30 a file: with these of 12 x 21 files of 4 words or more none was
# misread; 67 % were read at 4 words, 85 % at 10 and 90 % at 30, the others were refused.
_MIN_CONFIDENCE = 0.02
_LEAD = 1.5  # times the confidence of the next best
_LEAD_OF_FEW = 3.0
_FEW_CHARACTERS = 8
_MIN_BYTES = 3  # beyond ASCII: a single character may be anything

Open = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's text is encoded.

    Attributes:
        name: Python's, as a file is opened with it.
        errors: what is done with bytes that stand for nothing.
        note: what a person should be told of it; "" where there is no doubt.
    """

    name: str
    errors: str = "surrogateescape"
    note: str = ""


class _Reading(NamedTuple):
    """A text that bytes may stand for."""

    encoding: str
    confidence: float
    text: str


def open_text(file: BinaryIO, encoding: Encoding, newline: str) -> TextIO:
    """The text of an open file; bytes that stand for nothing come as lone surrogates, and cost their row."""
    return io.TextIOWrapper(file, encoding=encoding.name, errors=encoding.errors, newline=newline)


def find_encoding(open_file: Open, path: Path, told: str = "") -> Encoding:
    """How the text of a file is encoded.

    Args:
        open_file: opens it, from its start.
        path: of the file, for messages.
        told: what somebody says; "" to find out.

    Raises:
        TableError: What is told is no encoding, or nothing is told and more than one is possible.
    """
    if told:
        return _told_encoding(told)
    with open_file() as file:
        first = file.read(_CHUNK_BYTES)
    for mark, name in _MARKS:
        if first.startswith(mark):
            return Encoding(name, "surrogatepass" if name != _UTF_8_MARKED else "surrogateescape")
    if wide := _unmarked_utf_16(first):
        return Encoding(wide, "surrogatepass", "told by its zero bytes")
    if _decodes(open_file, UTF_8):
        return Encoding(UTF_8)
    return _undeclared(open_file, path)


def _told_encoding(told: str) -> Encoding:
    try:
        name = codecs.lookup(told.strip()).name
        known = name.replace("-", "_") in {*aliases, *aliases.values(), "utf_8_sig"}
        known = known and "a,b".encode(name).decode(name) == "a,b"
    except (LookupError, ValueError):
        known = False
    if not known:
        raise TableError(
            f"encoding {told!r} is not known; allowed are Python's, such as utf-8, cp949, cp1252"
        )
    if name in (UTF_8, _UTF_8_MARKED):
        return Encoding(_UTF_8_MARKED)
    return Encoding(name, "surrogatepass" if name.startswith(("utf-16", "utf-32")) else "surrogateescape")


def _unmarked_utf_16(first: bytes) -> str:
    """UTF-16 without a mark: every zero is the upper half of an ASCII character, so all are on one side."""
    even, odd = first[0::2], first[1::2]
    for name, upper, lower in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        is_often = upper.count(0) >= _UTF_16_SHARE * len(first) and lower.count(
            0
        ) <= _SPARE_ZEROS * upper.count(0)
        if is_often and any(
            byte == _LINE_FEED and not above for byte, above in zip(lower, upper, strict=False)
        ):
            return name
    return ""


def _decodes(open_file: Open, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_file() as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


class _Lines(NamedTuple):
    """The lines of a file that are not ASCII, counted, and cells of those that are no UTF-8."""

    sound: int
    certain: int
    broken: int
    all: int
    cells: bytes


def _undeclared(open_file: Open, path: Path) -> Encoding:
    """Of a file that is no UTF-8 throughout."""
    lines = _count_lines(open_file)
    broken = f"{lines.broken:,} of {lines.all:,} lines are no UTF-8"
    if lines.sound >= lines.broken or lines.certain * _CERTAIN_WEIGHT >= lines.broken:
        return Encoding(UTF_8, note=broken)
    possible = [one for one in _possible_readings(lines.cells) if _decodes(open_file, one.encoding)]
    if possible and _is_clear(possible, lines.cells):
        return Encoding(possible[0].encoding, note="found out, not declared")
    told = " or ".join(f"{one.encoding} ({_excerpt(one.text)})" for one in possible[:_NAMED])
    doubt = f"it may be {told}" if told else "no encoding that spreadsheets save in fits"
    if lines.broken <= _FEW_LINES * (lines.all - 1):  # without the header
        return Encoding(UTF_8, note=f"{broken}; {doubt}: {ADVICE}")
    raise TableError(f"{path} is no UTF-8, and {doubt}: {ADVICE}")


def _count_lines(open_file: Open) -> _Lines:
    sound = certain = broken = total = 0
    cells: dict[bytes, None] = {}  # in their order
    room = _SAMPLE_BYTES
    with open_file() as file:
        for line in file:
            total += 1
            if line.isascii():
                continue
            try:
                characters = [char for char in line.decode() if not char.isascii()]
            except UnicodeDecodeError:
                broken += 1
                for cell in _BETWEEN_CELLS.split(line) if room > 0 else ():
                    if not cell.isascii() and cell not in cells:
                        cells[cell] = None
                        room -= len(cell)
            else:
                sound += 1
                certain += len(characters) >= _CERTAIN_CHARACTERS or max(characters) >= _THREE_BYTES
    return _Lines(sound, certain, broken, total, b"\n".join(cells)[:_SAMPLE_BYTES])


def _possible_readings(cells: bytes) -> list[_Reading]:
    """What the cells may stand for, the likeliest first; readings with odd words only where all have some."""
    found: dict[str, _Reading] = {}
    for one in chardet.detect_all(
        cells,
        ignore_threshold=True,
        prefer_superset=True,
        compat_names=False,
        include_encodings=(*_CANDIDATES, UTF_8),
        no_match_encoding=UTF_8,  # which the cells are not: then nothing is possible
    ):
        name = one["encoding"] or UTF_8
        try:
            text = cells.decode(name)
        except UnicodeDecodeError:
            continue
        known = found.setdefault(text, _Reading(name, one["confidence"], text))
        found[text] = known._replace(encoding=min(name, known.encoding, key=_rank))
    odd = {text: _odd_characters(text) for text in found}
    return [one for text, one in found.items() if odd[text] == min(odd.values())]


def _rank(encoding: str) -> int:
    return _CANDIDATES.index(encoding) if encoding in _CANDIDATES else len(_CANDIDATES)


def _is_clear(possible: list[_Reading], cells: bytes) -> bool:
    best = possible[0]
    if best.confidence < _MIN_CONFIDENCE or sum(byte > 0x7F for byte in cells) < _MIN_BYTES:
        return False
    characters = sum(not char.isascii() for char in best.text)
    lead = _LEAD if characters >= _FEW_CHARACTERS else _LEAD_OF_FEW
    second = possible[1].confidence if len(possible) > 1 else 0.0
    return best.confidence >= lead * second


def _odd_characters(text: str) -> int:
    """How many characters stand where no language puts them, as in `B‰ume` and `Straъe`, misread both."""
    spaced = f" {text} "
    return sum(
        _is_odd(*spaced[place - 1 : place + 2])
        for place in range(1, len(spaced) - 1)
        if not spaced[place].isascii()
    )


def _is_odd(before: str, char: str, after: str) -> bool:
    kind = unicodedata.category(char)
    if kind in _NEVER_WRITTEN:
        return True
    if not (char.isalpha() or kind.startswith("M")):
        return before.isalpha() and after.isalpha() and char not in _WITHIN_WORDS
    if char.isupper() and before.islower():
        return True
    near = [other for other in (before, after) if other.isalpha()]
    if _script(char) == _EAST_ASIAN:
        return len(near) == 2 and all(other.isascii() for other in near)
    return any(_script(other) != _script(char) for other in near)


def _script(char: str) -> str:
    first = unicodedata.name(char, "?").split()[0]
    return _EAST_ASIAN if first in _EAST_ASIAN_NAMES else first


def _excerpt(text: str) -> str:
    line = text.split("\n", 1)[0]
    return repr(line[:_EXCERPT_CHARACTERS])
