"""Versions of datasets that grow: which came after which, in one small file a line of growth.

The file is a pointer, not the work: it names artefacts by key, and where it is lost the next growth finds all
shards in the store and begins a new line with the same bytes.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from blip_core import strict_json
from blip_core.errors import StoreError
from blip_core.store.places import Taken
from blip_core.store.store import Store

FOLDER = "lines"
_NAME = re.compile(r"[A-Za-z0-9-]+")  # of an artefact


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset.

    Attributes:
        key: of the dataset in the store.
        digest: of the dataset.
        parent: digest of the version that it extends; empty for the first.
        scenes: that were asked for.
        rows: that passed the gates.
        at: when it was made, in ISO 8601.
        decisions: of people that it obeys: so many of the first, see `DecidedRows`.
    """

    key: str
    digest: str
    parent: str
    scenes: int
    rows: int
    at: str
    decisions: int = 0


class Line:
    """The versions of one dataset that grows, oldest first.

    Args:
        store: that holds them.
        key: of all that decides its rows but for their number.
        name: of recipe and profile, for people.
    """

    def __init__(self, store: Store, key: str, name: str) -> None:
        self.key = key
        self.name = name
        self._store = store
        self._note = f"{FOLDER}/{key}.json"

    @property
    def path(self) -> Path:
        """Its file, where the store is a folder."""
        return self._store.root / self._note

    @property
    def where(self) -> str:
        """Its file, as people name it."""
        return f"{self._store.address}/{self._note}"

    def versions(self) -> tuple[Version, ...]:
        """All versions there were, also those that the store no longer holds.

        Raises:
            StoreError: The file is damaged.
        """
        content = self._store.place.read_note(self._note)
        return () if content is None else read_line(content, self.where)[1]

    def last(self) -> Version | None:
        """The version that the next one extends."""
        return next(reversed(self.versions()), None)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others from extending the line; whoever comes second is told so at once.

        Raises:
            StoreError: Somebody extends it.
        """
        with self._store.claimed(
            f"{self.key}-line",
            f"{self.name} is being extended by another run; wait until that has ended, then run again: "
            "what it made is extended further, and nothing is made twice",
        ):
            yield

    def add(self, version: Version) -> None:
        """Make a version the last one.

        Raises:
            StoreError: The last one is not its parent: somebody else was quicker.
        """
        read = self._store.place.read_note(self._note)
        before = () if read is None else read_line(read, self.where)[1]
        last = before[-1].digest if before else ""
        if version.parent != last:
            raise self._overtaken(f": its last version is {last or 'none'}, not {version.parent or 'none'}")
        content = {"line": self.key, "name": self.name, "versions": list(map(asdict, [*before, version]))}
        try:
            self._store.place.write_note(self._note, strict_json.dumps(content, indent=1).encode(), read)
        except Taken:
            raise self._overtaken("") from None

    def _overtaken(self, how: str) -> StoreError:
        return StoreError(
            f"{self.name} was extended by another run meanwhile{how}; run again, and that one is extended"
        )


def lines_of(store: Store) -> dict[str, tuple[Version, ...]]:
    """The versions of all lines of a store, by the line's key and name.

    Raises:
        StoreError: A file is damaged.
    """
    lines = {}
    for note in store.place.notes(FOLDER):
        content = store.place.read_note(note)
        if content is not None:
            name, versions = read_line(content, f"{store.address}/{note}")
            lines[f"{PurePosixPath(note).stem} {name}"] = versions
    return lines


def version_of(store: Store, digest: str) -> Version | None:
    """What a line says of a dataset by its digest; None where it is of none."""
    found = (one for versions in lines_of(store).values() for one in versions)
    return next((one for one in found if one.digest == digest), None)


def line_holding(store: Store, digests: Collection[str]) -> Line | None:
    """The line that has a version of one of these digests; None where none has."""
    for named, versions in lines_of(store).items():
        key, _, name = named.partition(" ")
        if any(one.digest in digests for one in versions):
            return Line(store, key, name)
    return None


def _checked(version: Version) -> Version:
    """A version as a growth can go on from it.

    Raises:
        ValueError: It was edited into something else.
    """
    texts = version.key, version.digest, version.parent, version.at
    counts = version.scenes, version.rows, version.decisions
    is_sound = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in counts)
    if not is_sound or not _NAME.fullmatch(version.key) or version.scenes < 1 or min(counts) < 0:
        raise ValueError(f"no version: {version}")
    return version


def read_line(content: bytes, where: str) -> tuple[str, tuple[Version, ...]]:
    """Name and versions that a file of a line tells.

    Args:
        content: of the file.
        where: it is, for people.

    Raises:
        StoreError: It is no such file.
    """
    try:
        told: Any = strict_json.loads(content.decode("utf-8"))
        return str(told["name"]), tuple(_checked(Version(**one)) for one in told["versions"])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{where} does not tell the versions of a dataset ({error!r}); move it away, and the next growth "
            "begins a new line from what the store holds"
        ) from error
