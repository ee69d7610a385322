"""Versions of datasets that grow: which came after which, in one small file a line of growth.

The file is a pointer, not the work: it names artefacts by key, and where it is lost the next growth finds all
shards in the store and begins a new line with the same bytes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import StoreError
from blip_core.store.durable import explained, sync
from blip_core.store.store import Store

FOLDER = "lines"


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
    """

    key: str
    digest: str
    parent: str
    scenes: int
    rows: int
    at: str


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
        self.path = store.root / FOLDER / f"{key}.json"

    def versions(self) -> tuple[Version, ...]:
        """All versions there were, also those that the store no longer holds.

        Raises:
            StoreError: The file is damaged.
        """
        return read_line(self.path)[1] if self.path.exists() else ()

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
        before = self.versions()
        last = before[-1].digest if before else ""
        if version.parent != last:
            raise StoreError(
                f"{self.name} was extended by another run meanwhile: its last version is "
                f"{last or 'none'}, not {version.parent or 'none'}; run again, and that one is extended"
            )
        content = {"line": self.key, "name": self.name, "versions": list(map(asdict, [*before, version]))}
        with explained(self._store.root):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            unfinished.write_text(strict_json.dumps(content, indent=1), encoding="utf-8")
            sync(unfinished)
            unfinished.rename(self.path)
            sync(self.path.parent)


def lines_of(store: Store) -> dict[str, tuple[Version, ...]]:
    """The versions of all lines of a store, by the line's key and name.

    Raises:
        StoreError: A file is damaged.
    """
    folder = store.root / FOLDER
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return {f"{path.stem} {name}": found for path in paths for name, found in [read_line(path)]}


def version_of(store: Store, digest: str) -> Version | None:
    """What a line says of a dataset by its digest; None where it is of none."""
    found = (one for versions in lines_of(store).values() for one in versions)
    return next((one for one in found if one.digest == digest), None)


def read_line(path: Path) -> tuple[str, tuple[Version, ...]]:
    """Name and versions that a file of a line tells.

    Raises:
        StoreError: It is no such file.
    """
    try:
        content: Any = strict_json.loads(path.read_text(encoding="utf-8"))
        return str(content["name"]), tuple(Version(**one) for one in content["versions"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path} does not tell the versions of a dataset ({error!r}); move it away, and the next growth "
            "begins a new line from what the store holds"
        ) from error
