"""What an export format is: which rows it can hold, and how it writes them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from blip_core.dataset.finding import iter_texts
from blip_core.dataset.reading import split_files
from blip_core.records import Example, Split
from blip_core.store import iter_rows

Holds = Callable[[Example], bool]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one split, read anew by each who goes through them, a row group in memory at a time.

    Attributes:
        folder: of the dataset.
        split: which of its splits.
        holds: whether a row is to be written.
    """

    folder: Path
    split: Split
    holds: Holds = lambda row: True

    def __iter__(self) -> Iterator[Example]:
        for path in split_files(self.folder, self.split):
            yield from filter(self.holds, iter_rows(path, Example))

    def texts(self) -> Iterator[Example]:
        """The same rows without their pictures, which are not read."""
        for path in split_files(self.folder, self.split):
            yield from filter(self.holds, iter_texts(path))


SplitRows = Mapping[Split, Rows]


@dataclass(frozen=True, slots=True)
class Format:
    """One format. Each is called `FORMAT`, one a file.

    Attributes:
        name: as people type it.
        words: what it is, for people, in one line.
        fault: why it cannot hold a row, in words that follow "rows that"; empty where it can. It is asked of
            rows without their pictures.
        write: fills an empty folder.
    """

    name: str
    words: str
    fault: Callable[[Example], str]
    write: Callable[[Path, SplitRows], None]
