"""The lines of a text file, one after the other, however long one may be."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TextIO

MAX_LINE_CHARACTERS = 4 * 1024 * 1024  # a picture of 3 MB in base64
MAX_RECORD_LINES = 1_000  # of one CSV record: a quote that never closes does not swallow the rest


class Line(NamedTuple):
    """A line with its end, and whether it was too long and lost some of it."""

    text: str
    is_cut: bool


class Lines:
    """The lines of a text file; those of a record can be put back, but for the first.

    Attributes:
        taken: lines of the record that is being read.
        number: of the last line handed out, counted from 1.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: deque[Line] = deque()
        self.taken: list[Line] = []
        self.number = 0

    @property
    def is_cut(self) -> bool:
        """Whether one of the record's lines was too long and lost its end."""
        return any(line.is_cut for line in self.taken)

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.taken = []

    def put_back(self) -> None:
        """Hand out all but the first line of the record again."""
        again = self.taken[1:]
        self._waiting.extendleft(reversed(again))
        self.number -= len(again)
        del self.taken[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_RECORD_LINES:
            raise csv.Error(f"more than {MAX_RECORD_LINES:,} lines make one row: a quote is not closed")
        line = self._waiting.popleft() if self._waiting else self._read()
        self.taken.append(line)
        self.number += 1
        return line.text

    def _read(self) -> Line:
        text = rest = self._file.readline(MAX_LINE_CHARACTERS)
        if not text:
            raise StopIteration
        while len(rest) == MAX_LINE_CHARACTERS and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(MAX_LINE_CHARACTERS)
        return Line(text, rest is not text)

    def read_all(self) -> str:
        """The whole text, of a file of which no line was read yet."""
        return self._file.read()
