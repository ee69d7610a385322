"""What a table's answers mean, told from all of them together, because one alone may be read in several ways.

An answer is a letter, the text of an option, or the number of its place, counted from 0 or from 1. A way of
reading is open where it reads nearly every answer. Where two are open and say different things of a row, the
rows do not decide, and the table is refused until somebody says which is meant.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, NamedTuple

from blip_core.errors import TableError
from blip_core.recipes.columns import AnswersRead, Reading
from blip_core.records import OPTION_LETTERS, Letter, NoLetter
from blip_core.sources.cells import RowRefused, shown
from blip_core.sources.columns import plain_name
from blip_core.sources.forms import READINGS, Said, is_hidden, understand
from blip_core.sources.options import Options
from blip_core.sources.share import MAX_REFUSED_SHARE
from blip_core.texts import exact

MAX_STRAY_SHARE = 0.05  # of the answers: so few misprints leave a way of reading open

Way = Literal[Reading, "letters or texts", "free texts", "none"]
"""How a table's answers are read: one way for all, letters beside texts, as they stand, or not at all."""

_SETTLE = "say with --answers how all of them are meant, or mend the row"
_WITH_TEXTS: tuple[Way, ...] = ("texts", "letters or texts", "truths")
_LETTERED: tuple[Reading, Reading] = ("letters", "texts")
_NUMBERS: tuple[Reading, Reading] = ("from-zero", "from-one")
_WORDS: Mapping[Way, str] = {
    "letters": "letters of options",
    "texts": "texts of options",
    "truths": "yes or no",
    "from-zero": "places of options, counted from 0",
    "from-one": "places of options, counted from 1",
    "letters or texts": "letters or texts of options",
    "free texts": "free texts",
    "none": "none",
}
_HINTS: Mapping[str, tuple[Reading, ...]] = {
    "index": ("letters", "from-zero", "from-one"),
    "idx": ("letters", "from-zero", "from-one"),
    "letter": ("letters",),
    "text": ("texts",),
}
"""What the name of a column says of its answers; believed as far as the rows allow."""


class Answer(NamedTuple):
    """An answer of a row that can be read, its options, and the row's number, counted from 1."""

    row: int
    text: str
    options: Options


@dataclass(frozen=True, slots=True)
class AnswerReading:
    """How a table's answers are read.

    Attributes:
        way: how.
        names: plain names of the columns of single options -> place.
        known: rows with an answer.
        hidden: what stands where answers are kept back -> rows.
        is_told: whether somebody said how.
        has_places: whether numbers among letters and texts speak of places, so that no number is certain.
    """

    way: Way
    names: Mapping[str, int] = field(default_factory=dict)
    known: int = 0
    hidden: Mapping[str, int] = field(default_factory=dict)
    is_told: bool = False
    has_places: bool = False

    def describe(self) -> str:
        """One line for people."""
        if self.way == "none" and not self.hidden:
            return "none, so nothing is scored"
        said = f"read as {_WORDS[self.way]}" + (", as told" if self.is_told else "")
        if not self.hidden:
            return said
        markers = ", ".join(map(shown, self.hidden))
        count = sum(self.hidden.values())
        rows = f"{count:,} {'row' if count == 1 else 'rows'}"
        if not self.known:
            return f"kept back in all rows ({markers} in {rows}), so nothing is scored"
        return f"{said}; kept back in {rows} ({markers})"

    def to_row(self) -> dict[str, Any]:
        """What a program is told, and what is kept beside scores."""
        return {"read_as": self.way, "told": self.is_told, "known": self.known, "hidden": dict(self.hidden)}

    def letter(self, answer: str, options: Options) -> Letter | NoLetter:
        """The letter that an answer means; none where it is kept back.

        Raises:
            RowRefused: It means none of the options (`answer-not-an-option`), more than one
                (`ambiguous-answer`), or says two things (`contradicting-answer`).
        """
        if self._is_kept_back(answer, options):
            return ""
        said = understand(answer, options, self.names)
        meant = self._meant(said)
        if len(meant) == 1:
            return OPTION_LETTERS[meant.pop()]
        if meant or said.alike:
            several = " or ".join(OPTION_LETTERS[place] for place in sorted(meant or said.alike))
            raise RowRefused("ambiguous-answer", f"answer {shown(answer)} could mean {several}; {_SETTLE}")
        raise RowRefused("answer-not-an-option", self._none_of(answer, options))

    def _is_kept_back(self, answer: str, options: Options) -> bool:
        if not is_hidden(answer):
            return False
        if self.way == "none" or "texts" not in understand(answer, options, self.names).places:
            return True
        if self.is_told:
            return self.way != "texts"
        if self.way in _WITH_TEXTS and exact(answer) not in self.hidden:
            return False
        raise RowRefused(
            "ambiguous-answer",
            f"answer {shown(answer)} is an option's text, or stands for no answer; {_SETTLE}",
        )

    def _meant(self, said: Said) -> set[int]:
        ways: tuple[Way, ...] = (self.way,)
        if self.way == "letters or texts":
            ways = (*_LETTERED, *(_NUMBERS if self.has_places and "texts" in said.places else ()))
        return {place for way, place in said.places.items() if way in ways}

    def _none_of(self, answer: str, options: Options) -> str:
        last = OPTION_LETTERS[options.offered - 1]
        if self.way in _NUMBERS:
            first = _NUMBERS.index(self.way)
            return f"answer {shown(answer)} is no place from {first} to {options.offered - 1 + first}"
        wanted = {"letters": f"no letter A to {last}", "texts": "no option's text"} if self.is_told else {}
        neither = f"neither a letter A to {last} nor an option's text"
        return f"answer {shown(answer)} is {wanted.get(self.way, neither)}"


def settle_reading(
    answers: Iterable[Answer],
    column: str,
    names: Mapping[str, int],
    told: AnswersRead = "",
    is_nameless: bool = False,
) -> AnswerReading:
    """Tell from all answers of a table how they are read.

    Args:
        answers: those that are there, of rows whose options can be read.
        column: name of their column.
        names: plain names of the columns of single options -> place.
        told: how somebody says that they are read.
        is_nameless: whether they are numbers of classes whose names are not told, so that no number is a
            place without somebody saying so.

    Raises:
        TableError: They can be read in two ways, or hardly one of them can be read at all.
    """
    tally, marked = _Tally(names), _Tally(names)
    hidden: Counter[str] = Counter()
    for answer in answers:
        if not is_hidden(answer.text):
            tally.count(answer)
        elif not marked.count(answer, "texts"):
            hidden[exact(answer.text)] += 1
    if not tally.known and not hidden:
        tally = marked  # "None" is an option of every row that has it for an answer
    if not tally.known:
        return AnswerReading("none", names, 0, hidden, bool(told))
    tally.check_readable(column, told)
    way = told or _choose(tally, column, is_nameless)
    return AnswerReading(way, names, tally.known, hidden, bool(told), tally.unlettered > 0)


@dataclass(slots=True)
class _Tally:
    """How many answers each way reads, and where two ways say different things.

    Attributes:
        names: plain names of the columns of single options -> place.
        known: answers in all.
        read: those that a way reads.
        readable: those that any way reads.
        lettered: those that are letters or texts.
        numbers: those that are numbers, of an option or of none.
        truths: those that are true or false, and no option's text.
        unlettered: numbers that are no texts, beside which it is not certain that another number is one.
        apart: the first answer of which two ways say different things.
        unread: the first answer that none reads, and why.
    """

    names: Mapping[str, int]
    known: int = 0
    read: Counter[Reading] = field(default_factory=Counter)
    readable: int = 0
    lettered: int = 0
    numbers: int = 0
    truths: int = 0
    unlettered: int = 0
    apart: dict[tuple[Reading, Reading], tuple[Answer, Said]] = field(default_factory=dict)
    unread: Answer | None = None

    def count(self, answer: Answer, needed: Reading | None = None) -> bool:
        """Take an answer into account; one that a needed way does not read is none."""
        said = self._understood(answer)
        if needed and needed not in said.places:
            return False
        self.known += 1
        self.read.update(said.places.keys())
        self.readable += bool(said.places)
        self.lettered += "letters" in said.places or "texts" in said.places
        self.numbers += said.is_number
        self.truths += said.is_truth
        self.unlettered += said.is_number and "texts" not in said.places
        for pair in combinations(READINGS, 2):
            places = {said.places[way] for way in pair if way in said.places}
            if len(places) > 1:
                self.apart.setdefault(pair, (answer, said))
        if not said.places and self.unread is None:
            self.unread = answer
        return True

    def _understood(self, answer: Answer) -> Said:
        try:
            return understand(answer.text, answer.options, self.names)
        except RowRefused:  # told where the row is read
            return Said({})

    def missed(self, way: Reading) -> int:
        """Answers that a way should read and does not."""
        return self.of_concern(way) - self.read[way]

    def of_concern(self, way: Reading) -> int:
        """Answers that tell for or against a way: numbers, of whatever size, where it counts places."""
        return self.numbers if way in _NUMBERS else self.readable

    def is_open(self, way: Reading) -> bool:
        """Whether a way reads what it should, misprints apart, and should read most of the answers."""
        is_most = self.of_concern(way) > MAX_REFUSED_SHARE * self.readable
        return is_most and 0 <= self.missed(way) <= MAX_STRAY_SHARE * self.of_concern(way)

    def check_readable(self, column: str, told: AnswersRead) -> None:
        """Refuse a column that holds something else than answers."""
        unread = self.known - (self.read[told] if told else self.readable)
        if unread <= MAX_REFUSED_SHARE * self.known:
            return
        seen = f", such as {shown(self.unread.text)} in row {self.unread.row}" if self.unread else ""
        if told:
            raise TableError(
                f"{unread:,} of {self.known:,} answers in the column {column!r} are not {_WORDS[told]}, as "
                f"told{seen}: leave --answers out, or say another of {', '.join(READINGS)}"
            )
        raise TableError(
            f"{unread:,} of {self.known:,} answers in the column {column!r} do not tell one of their options"
            f"{seen}. Another column is named with --column answer=NAME; --column answer= says that there is "
            'none (in a recipe: answer = "NAME" below its columns)'
        )


def _choose(tally: _Tally, column: str, is_nameless: bool) -> Way:
    if is_nameless:
        raise TableError(
            f"the column {column!r} holds numbers of classes whose names are not told, so that a number may "
            f"stand for any option. {_flags(('from-zero', 'from-one', 'texts'))}"
        )
    open_ways = [way for way in READINGS if tally.is_open(way)]
    open_ways = _without_worse_numbers(tally, open_ways)
    hinted = next((ways for hint, ways in _HINTS.items() if hint in plain_name(column)), READINGS)
    open_ways = [way for way in open_ways if way in hinted] or open_ways
    for pair in combinations(open_ways, 2):
        if pair in tally.apart:
            raise TableError(_told_apart(column, pair, *tally.apart[pair]))
    if tally.truths and set(open_ways) == {"from-zero"}:
        raise TableError(
            f"the answers in the column {column!r} are True and False, and no options say so: name the "
            "options in place of them, or take False for A and True for B (--answers from-zero)"
        )
    if open_ways:
        return min(open_ways, key=tally.missed)
    if tally.lettered > MAX_REFUSED_SHARE * tally.readable:
        alone = [way for way in _LETTERED if tally.read[way] == tally.lettered]
        return alone[0] if alone and _LETTERED not in tally.apart else "letters or texts"
    read = [way for way in READINGS if tally.read[way]]
    counts = ", ".join(f"{tally.read[way]:,} as {_WORDS[way]}" for way in read)
    raise TableError(
        f"no way of reading fits the answers in the column {column!r}: of {tally.known:,}, {counts} can be "
        f"read. {_flags(read)}; rows that do not fit are then refused"
    )


def _without_worse_numbers(tally: _Tally, ways: list[Reading]) -> list[Reading]:
    """Where one count reads every number and the other does not, the numbers have decided."""
    missed = {way: tally.missed(way) for way in _NUMBERS}
    if min(missed.values()) > 0:
        return ways
    return [way for way in ways if not missed.get(way)]


def _told_apart(column: str, ways: tuple[Reading, Reading], answer: Answer, said: Said) -> str:
    meant = " and ".join(
        f"{OPTION_LETTERS[said.places[way]]} ({shown(answer.options.texts[said.places[way]])}) read as "
        f"{_WORDS[way]}"
        for way in ways
    )
    return (
        f"the answers in the column {column!r} can be read in two ways, and no row tells which is meant: "
        f"{shown(answer.text)} in row {answer.row} is {meant}. {_flags(ways)}"
    )


def _flags(ways: Sequence[Reading]) -> str:
    flags = " or ".join(f"--answers {way}" for way in ways)
    return f'Say which: {flags} (in a recipe: answers = "{ways[0]}" beside the path of the table)'
