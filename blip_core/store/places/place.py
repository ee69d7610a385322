"""What a store needs from the place where its bytes are."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from blip_core.store.artifact import Artifact
from blip_core.store.faults import Reach
from blip_core.store.manifest import Manifest

if TYPE_CHECKING:
    from blip_core.store.places.shelf import Shelf


class Taken(Exception):
    """Somebody else holds a lock; whoever asked says what that means."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Damaged work in quarantine.

    Attributes:
        name: `KEY.NUMBER`.
        path: its folder on this machine, or where it would be.
        bytes: that it takes.
        at: when it was put aside.
    """

    name: str
    path: Path
    bytes: int
    at: datetime


class Place(Protocol):
    """A place for artefacts, whose presence means that they are complete.

    Whatever it does, a process may die at any moment: an artefact is there whole, or not at all.
    """

    @property
    def address(self) -> str:
        """As people name it; holds no secret."""
        ...

    @property
    def root(self) -> Path:
        """Folder of this machine in which artefacts are made and read."""
        ...

    @property
    def shelf(self) -> "Shelf | None":
        """For what is not finished, where other machines could go on with it; None where there are none."""
        ...

    def load(self, key: str) -> Artifact | None:
        """Give an artefact after comparing every file with its digest; None where there is none.

        Raises:
            CorruptArtifact: It is not what was published.
        """
        ...

    def peek(self, key: str) -> Artifact | None:
        """Give an artefact whose files have their sizes; None else. Reads its manifest alone."""
        ...

    def keys(self, beginning: str) -> list[str]:
        """Keys that begin so and have a manifest, whole or damaged, in order."""
        ...

    def artifacts(self) -> list[Artifact]:
        """All artefacts as `peek` gives them, by key."""
        ...

    def let_go(self, key: str) -> None:
        """Say that this process reads an artefact no more, so that a cache need not keep it."""
        ...

    def staging(self, key: str) -> AbstractContextManager[Path]:
        """An empty folder to make an artefact in; afterwards it is gone."""
        ...

    def put(self, staged: Path, manifest: Manifest, reach: Reach) -> Artifact:
        """Let a staged artefact appear at once and complete.

        Returns:
            What is there now, which a quicker writer elsewhere may have made.
        """
        ...

    def remove(self, key: str) -> None:
        """Remove an artefact: its manifest first, so that it is whole or not there."""
        ...

    def sweep(self, key: str) -> None:
        """Remove what killed writers left; called by whoever holds the lock of the key."""
        ...

    def forget_abandoned(self) -> None:
        """Remove what `sweep` leaves to others; called while nobody makes anything."""
        ...

    def set_aside(self, key: str) -> str:
        """Move a damaged artefact to quarantine; gives where it lies."""
        ...

    def quarantined(self) -> list[Damaged]:
        """Damaged work that was put aside, by name."""
        ...

    def forget_damaged(self, name: str) -> None:
        """Remove damaged work from quarantine."""
        ...

    def locked(self, name: str, wait: bool = True) -> AbstractContextManager[None]:
        """Be the only one, among all processes that use the place, who is inside with this name.

        Args:
            name: of the lock.
            wait: until whoever is inside has left.

        Raises:
            Taken: Somebody is inside, and nobody waits.
        """
        ...

    def held(self) -> list[str]:
        """Names of locks that somebody holds."""
        ...

    def read_note(self, name: str) -> bytes | None:
        """A small file beside the artefacts, such as `lines/KEY.json`; None where there is none."""
        ...

    def write_note(self, name: str, content: bytes, before: bytes | None) -> None:
        """Replace a small file, whole or not at all.

        Args:
            name: of the file.
            content: what it is to hold.
            before: what it was when it was read; None where there was none.

        Raises:
            Taken: Somebody else has replaced it since.
        """
        ...

    def notes(self, folder: str) -> list[str]:
        """Names of the small files in one folder, in order."""
        ...
