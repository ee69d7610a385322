"""The artefact store: finished work rests under the key of what it was made from, in a place for bytes."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained, explained_if_full
from blip_core.store.faults import Reach, pass_by
from blip_core.store.keys import CODE_VERSIONS, FIRST_VERSION, KEY_INPUTS, content_key, told_at_length
from blip_core.store.manifest import Manifest
from blip_core.store.places import Damaged, Place, Taken
from blip_core.store.places.folder import FolderPlace
from blip_core.store.places.locks import RUN
from blip_core.store.schema import SCHEMA_NOTE, refuse_later, schema_note

Build = Callable[[Path], Mapping[str, Any]]

_KEY = re.compile(r"[0-9a-z][0-9a-z-]{0,127}")
_PRUNING = "pruning"
_SHARD = "-shard"
_REMEMBERED = 200  # keys: more than a run has stages
_LOG = logging.getLogger(__name__)


class Store:
    """Finished work by key.

    Args:
        place: where its bytes are; a path is a folder of this machine.
        code_versions: stages whose code changed what they make, and their version.
        reach: called at each fault point of publishing, see `faults.POINTS`.
    """

    def __init__(
        self,
        place: Path | Place,
        code_versions: Mapping[str, int] = CODE_VERSIONS,
        reach: Reach = pass_by,
    ) -> None:
        self.place: Place = FolderPlace(place) if isinstance(place, Path) else place
        self._code_versions = code_versions
        self._reach = reach
        self._is_ours = False  # until it was looked at
        self._inputs: dict[str, dict[str, Any]] = {}  # of keys that were asked for last

    @property
    def root(self) -> Path:
        """Folder of this machine in which artefacts are made and read."""
        return self.place.root

    @property
    def address(self) -> str:
        """Where finished work rests, as people name it."""
        return self.place.address

    def key(self, stage: str, inputs: Mapping[str, Any]) -> str:
        """Name and digest of what a stage makes from these inputs at its present code version.

        Raises:
            TypeError: The inputs hold something that JSON cannot write.
        """
        version = self._code_versions.get(stage, FIRST_VERSION)
        key = content_key(stage, inputs, version)
        self._remember(key, {"code_version": version, **inputs})
        return key

    def inputs_of(self, key: str) -> dict[str, Any] | None:
        """What a key that was asked for lately is made of, told at length; None where it was not."""
        inputs = self._inputs.get(key)
        return None if inputs is None else told_at_length(inputs)

    def has(self, key: str) -> bool:
        """Whether a complete artefact is there, judged by the sizes of its files: cheap, not thorough."""
        return self.peek(key) is not None

    def find(self, key: str) -> Artifact | None:
        """Give an artefact after comparing every file with its digest; None where there is none.

        A damaged artefact is moved to quarantine and logged, so that it is made anew.
        """
        try:
            return self.place.load(_checked(key))
        except CorruptArtifact:
            return self._find_again_or_quarantine(key)

    def publish(self, key: str, kind: str, build: Build) -> Artifact:
        """Make an artefact, or take the one that is there.

        Writers of one key wait for each other: the first makes it, the others get what it made. The artefact
        appears at once and complete, or, where anything fails or the process dies, not at all.

        Args:
            key: see `key`.
            kind: what it holds.
            build: writes its files into the empty folder that it is given and returns the metadata, which
                JSON must be able to write; `rows` counts the rows.

        Raises:
            PlaceError: The store cannot be written.
            StoreError: The disk is full, or `build` left something that cannot be published.
        """
        found = self.find(key)
        if found is not None:
            return found
        self.check_schema()
        with self.place.locked(key):
            self._reach("publish.locked")
            self.place.sweep(key)
            found = self._load_or_quarantine(key)  # another writer may have finished while we waited
            return found or self._make(key, kind, build)

    def check_schema(self) -> None:
        """Refuse a store of a later version, before anything is written to it; a new one is marked as ours.

        Raises:
            PlaceError: A later version wrote it.
        """
        if self._is_ours:
            return
        told = self.place.read_note(SCHEMA_NOTE)
        refuse_later(told, self.address)
        if told is None:
            with suppress(Taken):  # somebody else has marked it just now
                self.place.write_note(SCHEMA_NOTE, schema_note(), None)
        self._is_ours = True

    def peek(self, key: str) -> Artifact | None:
        """Give an artefact as `has` judges it; whoever reads its files asks `find` first."""
        return self.place.peek(_checked(key))

    def keys(self, beginning: str) -> list[str]:
        """Keys that begin so and have a manifest, whole or damaged, in order; reads none."""
        return self.place.keys(beginning)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep other writers waiting while several artefacts are made, one after the other.

        Args:
            name: a key that is never published: publishing takes the lock of its own.

        Raises:
            PlaceError: The store cannot be written.
        """
        with self.place.locked(name):
            yield

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Keep artefacts from being removed while a run may read them; waits while some are removed.

        Args:
            name: of the run, unlike that of any other.
        """
        with ExitStack() as stack:
            with self.place.locked(_PRUNING):
                stack.enter_context(self.place.locked(f"{RUN}{name}"))
            yield

    def runs(self) -> list[str]:
        """Names of the runs that are under way, on any machine."""
        return [name.removeprefix(RUN) for name in self.place.held() if name.startswith(RUN)]

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Keep runs from beginning while artefacts are removed.

        Raises:
            StoreError: A run is under way, or something is being made.
        """
        with self.place.locked(_PRUNING):
            for name in self.place.held():
                if name != _PRUNING:
                    raise StoreError(
                        f"a run is under way in {self.address} ({name} is held): it may refer to anything; "
                        "wait until it has ended, and nothing is removed until then"
                    )
            yield

    @contextmanager
    def claimed(self, name: str, taken: str) -> Iterator[None]:
        """As `alone`, but whoever comes second does not wait.

        Args:
            name: see `alone`.
            taken: what the second is told.

        Raises:
            PlaceError: The store cannot be written.
            StoreError: Somebody else is inside.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.place.locked(name, wait=False))
            except Taken:
                raise StoreError(taken) from None
            yield

    def remove(self, key: str) -> None:
        """Remove an artefact: its manifest first, so that it is whole or not there."""
        self.place.remove(_checked(key))

    def quarantined(self) -> list[Damaged]:
        """Damaged work that was put aside."""
        return self.place.quarantined()

    def forget_damaged(self, name: str) -> None:
        """Remove damaged work from quarantine."""
        self.place.forget_damaged(name)

    def artifacts(self, kind: str | None = None) -> list[Artifact]:
        """All complete artefacts, or those of one kind, by key; their files are not read."""
        return [artifact for artifact in self.place.artifacts() if kind in (None, artifact.kind)]

    def _remember(self, key: str, inputs: dict[str, Any]) -> None:
        self._inputs.pop(key, None)
        self._inputs[key] = inputs
        if len(self._inputs) > _REMEMBERED:
            del self._inputs[next(iter(self._inputs))]

    def _make(self, key: str, kind: str, build: Build) -> Artifact:
        inputs = None if kind.endswith(_SHARD) else self.inputs_of(key)  # before its shards' take their place
        with self.place.staging(key) as staged:
            self._reach("publish.staged")
            with explained_if_full(self.root):
                metadata = build(staged)
            if inputs is not None:
                metadata = {**metadata, KEY_INPUTS: inputs}
            self._reach("publish.built")
            with explained(self.root):
                manifest = Manifest.of(staged, key, kind, metadata)
            manifest.to_json()  # before anything moves: metadata may not be JSON
            return self.place.put(staged, manifest, self._reach)

    def _find_again_or_quarantine(self, key: str) -> Artifact | None:
        """Judge again under the lock: meanwhile somebody may have replaced what was damaged."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.place.locked(key, wait=False))
            except Taken:
                return None  # somebody is making it anew
            return self._load_or_quarantine(key)

    def _load_or_quarantine(self, key: str) -> Artifact | None:
        try:
            return self.place.load(key)
        except CorruptArtifact as damage:
            aside = self.place.set_aside(key)
            _LOG.warning("%s; the damaged artefact lies in %s and is made anew", damage, aside)
            return None


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key")
    return key
