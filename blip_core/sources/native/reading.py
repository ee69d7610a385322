"""Rows of a published set as examples or pictures: checked as those of a table are, in the set's order."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from blip_core import strict_json
from blip_core.errors import PictureError, TableError
from blip_core.images import decoding_key
from blip_core.kinds import Kind, kind_of
from blip_core.recipes import Section
from blip_core.recipes.native import NativeFiles, section_of
from blip_core.records import Example, Picture, Rejection
from blip_core.sources.cells import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_ID_CHARACTERS,
    MAX_QUESTION_CHARACTERS,
    RowRefused,
    checked_text,
    shown,
)
from blip_core.sources.digests import content_digest, picture_digest
from blip_core.sources.free_texts import agreed
from blip_core.sources.named_files import find_below, read_below
from blip_core.sources.native.layout import Layout, NativeRow, Unusable
from blip_core.sources.native.layouts import layout_of
from blip_core.sources.native.templates import texts_made
from blip_core.sources.pictures import outside_picture, upright
from blip_core.sources.share import check_share
from blip_core.sources.unchanged import Version, file_digest, is_settled, version_of

STAGE = "native"
READER_VERSION = 2  # of what rows mean: raised where the same set would make other examples
REPEATED_PICTURE = "repeated-picture"
MAX_PICTURES_BYTES = 4 * 1024**3  # of one set that is learnt: its pictures are held in memory
_ID_HEX = 16  # of a picture's sha256, as in tables
_SETS_KEPT = 2  # of VQA v2 the rows without pictures are some hundred MiB

Made = TypeVar("Made")
Rows = tuple[NativeRow | Unusable, ...]


@dataclass(frozen=True)
class NativeSet:
    """A set as a recipe names it.

    Attributes:
        layout: how it is read.
        origin: package that brings the layout; empty where it ships.
        root: its folder.
        settings: of the layout.
        limit: most rows; None, all.
    """

    layout: Layout[Any]
    origin: str
    root: Path
    settings: Section
    limit: int | None

    @property
    def name(self) -> str:
        """What a message calls it."""
        return f"{self.layout.name} in {self.root}"

    @property
    def files(self) -> list[Path]:
        """The files that its rows are made of, all of them there.

        Raises:
            TableError: One is missing; the message says where the set is found.
        """
        if not self.root.is_dir():
            raise TableError(
                f"{self.root} is no folder; path names the one that {self.layout.name} was unpacked in "
                f"({self.layout.words}). Where to get it: {self.layout.obtain}"
            )
        files = self.layout.files(self.root, self.settings)
        for path in files:
            if not path.exists():
                raise TableError(
                    f"{path} is not there, and {self.layout.name} is made of it. Where to get it: "
                    f"{self.layout.obtain}"
                )
        return files

    def rows(self) -> Iterator[NativeRow | Unusable]:
        """Its rows as the files have them, up to the limit.

        Raises:
            TableError: A file is missing or cannot be read.
        """
        files = self.files
        if self.layout.has_pictures_inside:
            return islice(iter(self.layout.rows(self.root, self.settings)), self.limit)
        versions = tuple(version for path in files for version in version_of(path))
        settings = self.settings.model_dump_json()
        read = _rows_kept if is_settled(versions) else _rows_kept.__wrapped__
        return islice(iter(read(self.layout.name, self.root, settings, versions)), self.limit)


def native_set(files: NativeFiles) -> NativeSet:
    """The set that a recipe names.

    Raises:
        RecipeError: Its layout is that of a package which cannot be loaded.
    """
    layout, origin = layout_of(files.layout)
    settings = section_of(files.layout).model_validate(files.settings)
    return NativeSet(layout, origin, Path(files.path).expanduser(), settings, files.limit)


def read_native(
    files: NativeFiles, task: str, flags: dict[str, str] | None = None
) -> tuple[list[Example], list[Rejection]]:
    """Read the examples of a set, its own texts being what is right.

    Args:
        files: which set.
        task: of the examples.
        flags: receives, by id, slugs of what is odd about a row's picture; see `sources.pictures`.

    Returns:
        Examples, and rejections whose details begin with the row's number, counted from 1. Reasons are those
        of tables and of the layout's own checks.

    Raises:
        TableError: A file is missing or is not what its name says, there is no row, more than half of them
            are refused, or the pictures do not fit into memory.
    """
    examples: list[Example] = []
    rejections: list[Rejection] = []
    held: dict[bytes, bytes] = {}  # equal pictures are one object
    room = MAX_PICTURES_BYTES
    for row in iter_examples(files, task, flags):
        if isinstance(row, Rejection):
            rejections.append(row)
            continue
        room -= 0 if row.image in held else len(row.image)
        if room < 0:
            raise TableError(
                f"the pictures of {files.layout} have more than {MAX_PICTURES_BYTES >> 30} GiB; set limit"
            )
        examples.append(replace(row, image=held.setdefault(row.image, row.image)))
    check_share(files.path, len(examples) + len(rejections), rejections)
    return examples, rejections


def iter_examples(
    files: NativeFiles, task: str, flags: dict[str, str] | None = None
) -> Iterator[Example | Rejection]:
    """The rows of a set one by one: each an example, or why it cannot be used; memory stays flat.

    Raises:
        TableError: See `NativeSet.rows`.
    """
    named = native_set(files)
    kind, pictures = kind_of(task), _Pictures(named.root, flags)

    def make(row: NativeRow, name: str) -> Example:
        question, told = _texts(row, kind, named)
        image = pictures.read(row.picture, name)
        picture_id = hashlib.sha256(image).hexdigest()[:_ID_HEX]
        return replace(
            Example.asked(name, task, image, question),
            picture_id=picture_id,
            group=checked_text(row.group, "group", MAX_ID_CHARACTERS) or picture_id,
            category=checked_text(row.category, "category", MAX_ID_CHARACTERS),
            target=agreed(told),
            kind=checked_text(row.kind, "kind", MAX_ID_CHARACTERS),
            references=told if len(told) > 1 else (),
            attributes={
                attribute: checked_text(word, attribute, MAX_ID_CHARACTERS)
                for attribute, word in row.attributes.items()
            },
        )

    return _each(named, make)


def read_native_pictures(
    files: NativeFiles, flags: dict[str, str] | None = None
) -> tuple[list[Picture], list[Rejection]]:
    """Read the pictures of a set, each once, to be labelled.

    Raises:
        TableError: See `read_native`.
    """
    named = native_set(files)
    first: dict[str, str] = {}

    def make(row: NativeRow, name: str) -> Picture:
        try:
            data = row.picture if isinstance(row.picture, bytes) else read_below(named.root, row.picture)
            original = first.setdefault(hashlib.sha256(data).hexdigest(), name)
            if original != name:
                raise RowRefused(REPEATED_PICTURE, f"shows the picture of {shown(original)}")
            category = checked_text(row.category, "category", MAX_ID_CHARACTERS)
            return outside_picture(data, name, category or named.layout.name, flags)
        except PictureError as error:
            raise RowRefused(error.reason, str(error)) from error

    rows = list(_each(named, make))
    made = [row for row in rows if not isinstance(row, Rejection)]
    rejections = [row for row in rows if isinstance(row, Rejection)]
    mistakes = [rejection for rejection in rejections if rejection.reason != REPEATED_PICTURE]
    check_share(files.path, len(rows), mistakes)
    return made, rejections


def check_native(files: NativeFiles, task: str) -> list[Rejection]:
    """Look at every row without decoding its picture; that of a file has to be there.

    Returns:
        Rows that cannot be used.

    Raises:
        TableError: See `read_native`.
    """
    named, kind = native_set(files), kind_of(task)
    there: set[str] = set()

    def look(row: NativeRow, name: str) -> str:
        _texts(row, kind, named)
        if isinstance(row.picture, str) and row.picture not in there:
            try:
                find_below(named.root, row.picture)
            except PictureError as error:
                raise RowRefused("missing-picture", str(error)) from error
            there.add(row.picture)
        return name

    rows = list(_each(named, look))
    refused = [row for row in rows if isinstance(row, Rejection)]
    check_share(files.path, len(rows), refused)
    return refused


def count_native(files: NativeFiles) -> int:
    """How many rows a set holds, those that cannot be used included.

    Raises:
        TableError: See `NativeSet.rows`.
    """
    return sum(1 for _ in native_set(files).rows())


def native_digest(files: NativeFiles) -> str:
    """Digest of all that rows are made of: the set's files, every picture they name, and how both are read.

    Where the folder lies does not enter.

    Raises:
        TableError: See `NativeSet.rows`.
    """
    named = native_set(files)
    made_of = {
        ascii(str(path.relative_to(named.root))): file_digest(path) for path in named.files if path.is_file()
    }
    names = set()
    if not named.layout.has_pictures_inside:
        names = {one.picture for one in named.rows() if isinstance(one, NativeRow)}
    return content_digest(
        {
            "reader": READER_VERSION,
            "layout": [named.layout.name, named.origin],
            "settings": files.settings,
            "limit": named.limit,
            "files": made_of,
            "decoding": decoding_key(),
            "pictures": {ascii(name): picture_digest(named.root, str(name)) for name in names},
        }
    )


@lru_cache(maxsize=_SETS_KEPT)
def _rows_kept(layout: str, root: Path, settings: str, versions: Version) -> Rows:
    """Every row of a set, read once for as long as its files stay."""
    del versions
    section = section_of(layout).model_validate(strict_json.loads(settings))
    return tuple(layout_of(layout)[0].rows(root, section))


def _texts(row: NativeRow, kind: Kind, named: NativeSet) -> tuple[str, tuple[str, ...]]:
    """What is asked of a row, and what is right, as often as people said it.

    Raises:
        RowRefused: One of them is missing, or cannot be put before a model.
    """
    made = texts_made(row, named.settings)
    question = checked_text(made.question, "question", MAX_QUESTION_CHARACTERS) if kind.asks else ""
    if kind.asks and not question:
        raise RowRefused("empty-text", "question is empty")
    field, given = ("answer", made.answers) if kind.asks else ("caption", made.captions)
    told = [checked_text(one, field, MAX_DESCRIPTION_CHARACTERS) for one in given]
    texts = tuple(text for text in told if text)
    if not texts:
        raise RowRefused("empty-text", f"{field} is empty")
    return question, texts


def _each(named: NativeSet, make: Callable[[NativeRow, str], Made]) -> Iterator[Made | Rejection]:
    seen: set[str] = set()
    for number, row in enumerate(named.rows(), start=1):
        name = f"row-{number:06d}"
        try:
            name = checked_text(row.id, "id", MAX_ID_CHARACTERS) or name
            if isinstance(row, Unusable):
                raise RowRefused(row.reason, row.detail)
            if name in seen:
                raise RowRefused("repeated-id", f"id {shown(name)} comes twice")
            seen.add(name)
            yield make(row, name)
        except RowRefused as refused:
            yield Rejection(name, STAGE, refused.reason, f"row {number}: {refused}")


class _Pictures:
    """Reads pictures upright; the last one is kept, as questions about one picture stand together."""

    def __init__(self, root: Path, flags: dict[str, str] | None) -> None:
        self._root = root
        self._flags = flags
        self._last: tuple[str, bytes, str] = ("", b"", "")

    def read(self, picture: str | bytes, row: str) -> bytes:
        """Encoded bytes of a picture.

        Raises:
            RowRefused: It is missing or cannot be read.
        """
        name, data, flag = self._last
        if not isinstance(picture, str) or picture != name:
            try:
                given = picture if isinstance(picture, bytes) else read_below(self._root, picture)
                data, flag = upright(given, row)
            except PictureError as error:
                raise RowRefused(error.reason, str(error)) from error
            self._last = (picture if isinstance(picture, str) else "", data, flag)
        if flag and self._flags is not None:
            self._flags[row] = flag
        return data
