"""What a layout is: how the files of a published set become rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from blip_core.recipes import Section

Settings = TypeVar("Settings", bound=Section)


@dataclass(frozen=True, slots=True)
class NativeRow:
    """One row as a set has it; nothing of it is checked yet.

    Attributes:
        id: its own among all.
        picture: name of its file below the set's folder, or its encoded bytes.
        question: what is asked, where the set asks.
        answers: right answers, as often as people gave them.
        captions: texts that describe the picture.
        category: what is shown.
        kind: of question.
        group: what must stay in one split; empty, the picture.
        attributes: words for what the picture shows, by the name of the attribute.
    """

    id: str
    picture: str | bytes
    question: str = ""
    answers: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    category: str = ""
    kind: str = ""
    group: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Unusable(NamedTuple):
    """A row that cannot be made: its name, a stable reason, and what was seen."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Layout(Generic[Settings]):
    """How the files of one published set are read.

    Attributes:
        name: what recipes call it.
        words: what it is, for people, in one line.
        settings: what a recipe may set of it.
        files: files that rows are made of, below the set's folder and all of them there.
        rows: every row of these files, always in one order.
        obtain: where the set is found, as the end of a sentence.
        licence: what its licence allows.
        has_pictures_inside: whether its files hold the pictures themselves.
    """

    name: str
    words: str
    settings: type[Settings]
    files: Callable[[Path, Settings], list[Path]]
    rows: Callable[[Path, Settings], Iterable[NativeRow | Unusable]]
    obtain: str
    licence: str
    has_pictures_inside: bool = False
