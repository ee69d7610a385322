"""The artefact store: a folder in which finished work rests under the key of what it was made from.

- `artifacts/KEY/...`: finished work with its `manifest.json`, which is written last
- `staging/KEY.RANDOM/`: work in the making; whatever a killed writer leaves is swept by the next
- `locks/KEY.lock`: held while KEY is made; the kernel lets go when its holder dies
- `quarantine/KEY.NUMBER/`: damaged work, moved aside to be looked at
"""

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained, explained_if_full, sync, sync_tree
from blip_core.store.faults import Reach, pass_by
from blip_core.store.keys import CODE_VERSIONS, FIRST_VERSION, KEY_INPUTS, content_key, told_at_length
from blip_core.store.manifest import MANIFEST, Manifest

Build = Callable[[Path], Mapping[str, Any]]

_KEY = re.compile(r"[0-9a-z][0-9a-z-]{0,127}")
_PRUNING, _RUN = "pruning", "run-"
_SHARD = "-shard"
_REMEMBERED = 200  # keys: more than a run has stages
_READABLE = 0o755  # mkdtemp hides its folder; an artefact is for all who may read the store
_LOG = logging.getLogger(__name__)


class Store:
    """Finished work by key.

    Nothing is made on disk before something is published, so a store that cannot be written can be read.

    Args:
        root: folder of the store.
        code_versions: stages whose code changed what they make, and their version.
        reach: called at each fault point of publishing, see `faults.POINTS`.
    """

    def __init__(
        self, root: Path, code_versions: Mapping[str, int] = CODE_VERSIONS, reach: Reach = pass_by
    ) -> None:
        self.root = root.expanduser().absolute()
        self._code_versions = code_versions
        self._reach = reach
        self._inputs: dict[str, dict[str, Any]] = {}  # of keys that were asked for last

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

        A damaged artefact is moved to `quarantine/` and logged, so that it is made anew.
        """
        try:
            return self._load(key)
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
            PlaceError: The store's folder cannot be written.
            StoreError: The disk is full, or `build` left something that cannot be published.
        """
        found = self.find(key)
        if found is not None:
            return found
        with self._locked(key):
            self._reach("publish.locked")
            self._sweep(key)
            found = self._load_or_quarantine(key)  # another writer may have finished while we waited
            return found or self._make(key, kind, build)

    def peek(self, key: str) -> Artifact | None:
        """Give an artefact as `has` judges it; whoever reads its files asks `find` first."""
        folder = self._folder(key)
        try:
            manifest = Manifest.read(folder)
        except (FileNotFoundError, NotADirectoryError, CorruptArtifact):
            return None
        return manifest.artifact(folder) if manifest.sizes_agree(folder) else None

    def keys(self, beginning: str) -> list[str]:
        """Keys that begin so and have a manifest, whole or damaged, in order; reads none."""
        folder = self.root / "artifacts"
        paths = sorted(folder.glob(f"{beginning}*")) if folder.is_dir() else []
        return [path.name for path in paths if (path / MANIFEST).exists()]

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep other writers waiting while several artefacts are made, one after the other.

        Args:
            name: a key that is never published: publishing takes the lock of its own.

        Raises:
            PlaceError: The store's folder cannot be written.
        """
        with self._locked(name):
            yield

    @contextmanager
    def in_use(self, name: str) -> Iterator[None]:
        """Keep artefacts from being removed while a run may read them; waits while some are removed.

        Args:
            name: of the run, unlike that of any other.
        """
        with ExitStack() as stack:
            with self._locked(_PRUNING):
                stack.enter_context(self._locked(f"{_RUN}{name}"))
            yield

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Keep runs from beginning while artefacts are removed.

        Raises:
            StoreError: A run is under way, or something is being made.
        """
        with self._locked(_PRUNING):
            for path in sorted((self.root / "locks").glob("*.lock")):
                if path.stem == _PRUNING:
                    continue
                if not self._is_free(path.stem):
                    raise StoreError(
                        f"a run is under way in {self.root} ({path.stem} is held): it may refer to anything; "
                        "wait until it has ended, and nothing is removed until then"
                    )
                if path.stem.startswith(_RUN):
                    path.unlink(missing_ok=True)  # of a run that has ended
            yield

    def remove(self, key: str) -> None:
        """Remove an artefact: its manifest first, so that it is whole or not there."""
        folder = self._folder(key)
        with explained(self.root), self._locked(key):
            (folder / MANIFEST).unlink(missing_ok=True)
            sync(folder.parent)
            shutil.rmtree(folder, ignore_errors=True)

    def forget_damaged(self, folder: Path) -> None:
        """Remove a folder of damaged work from quarantine."""
        with explained(self.root):
            shutil.rmtree(self.root / "quarantine" / folder.name, ignore_errors=True)

    def _is_free(self, name: str) -> bool:
        lock = self._lock(name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        return True

    @contextmanager
    def claimed(self, name: str, taken: str) -> Iterator[None]:
        """As `alone`, but whoever comes second does not wait.

        Args:
            name: see `alone`.
            taken: what the second is told.

        Raises:
            PlaceError: The store's folder cannot be written.
            StoreError: Somebody else is inside.
        """
        lock = self._lock(name)
        with explained(self.root):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise StoreError(taken) from None
        try:
            yield
        finally:
            lock.release()

    def artifacts(self, kind: str | None = None) -> list[Artifact]:
        """All complete artefacts, or those of one kind, by key; their files are not read."""
        folder = self.root / "artifacts"
        paths = sorted(folder.iterdir()) if folder.is_dir() else []
        found = [artifact for path in paths if (artifact := self.peek(path.name)) is not None]
        return [artifact for artifact in found if kind in (None, artifact.kind)]

    def _remember(self, key: str, inputs: dict[str, Any]) -> None:
        self._inputs.pop(key, None)
        self._inputs[key] = inputs
        if len(self._inputs) > _REMEMBERED:
            del self._inputs[next(iter(self._inputs))]

    def _folder(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key")
        return self.root / "artifacts" / key

    def _load(self, key: str) -> Artifact | None:
        folder = self._folder(key)
        try:
            manifest = Manifest.read(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if manifest.key != key:
            raise CorruptArtifact(f"{folder} holds the manifest of {manifest.key}")
        manifest.check(folder)
        return manifest.artifact(folder)

    def _make(self, key: str, kind: str, build: Build) -> Artifact:
        folder = self._folder(key)
        inputs = None if kind.endswith(_SHARD) else self.inputs_of(key)  # before its shards' take their place
        with self._staging(key) as staged:
            self._reach("publish.staged")
            with explained_if_full(self.root):
                metadata = build(staged)
            if inputs is not None:
                metadata = {**metadata, KEY_INPUTS: inputs}
            self._reach("publish.built")
            with explained(self.root):
                manifest = Manifest.of(staged, key, kind, metadata)
                text = manifest.to_json()  # before anything moves: metadata may not be JSON
                sync_tree(staged)
                self._reach("publish.synced")
                self._move_in(staged, folder, text)
        return manifest.artifact(folder)

    def _move_in(self, staged: Path, folder: Path, manifest: str) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(folder)
        sync(folder.parent)
        self._reach("publish.moved")
        unfinished = folder / f".{MANIFEST}"
        unfinished.write_text(manifest, encoding="utf-8")
        sync(unfinished)
        self._reach("publish.before-manifest")
        unfinished.rename(folder / MANIFEST)
        sync(folder)
        self._reach("publish.manifest")

    @contextmanager
    def _staging(self, key: str) -> Iterator[Path]:
        with explained(self.root):
            parent = self.root / "staging"
            parent.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=parent))
            staged.chmod(_READABLE)
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)  # gone already where it was moved in

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        lock = self._lock(key)
        with explained(self.root):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                _LOG.info("another writer is making %s; waiting for it", key)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _lock(self, key: str) -> FileLock:
        with explained(self.root):
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
        # A lock that is a mere file would outlive a killed holder; the kernel's does not.
        return FileLock(self.root / "locks" / f"{key}.lock", fallback_to_soft=False, preserve_lock_file=True)

    def _sweep(self, key: str) -> None:
        """Remove what killed writers left: of `key`, whose lock we hold, and of keys nobody is making."""
        with explained(self.root):
            for left in self._unfinished():
                owner = left.name.partition(".")[0]
                if owner == key:
                    shutil.rmtree(left)
                else:
                    self._remove_if_abandoned(left, owner)

    def _unfinished(self) -> list[Path]:
        """Folders in the making, and those that were moved in but have no manifest yet."""
        staging, artifacts = self.root / "staging", self.root / "artifacts"
        staged = sorted(staging.iterdir()) if staging.is_dir() else []
        moved = sorted(artifacts.iterdir()) if artifacts.is_dir() else []
        return staged + [path for path in moved if not (path / MANIFEST).exists()]

    def _remove_if_abandoned(self, left: Path, owner: str) -> None:
        lock = self._lock(owner)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        try:
            if not (left / MANIFEST).exists():  # it may have been finished before we had the lock
                shutil.rmtree(left, ignore_errors=True)  # another sweeper may be at it, too
        finally:
            lock.release()

    def _find_again_or_quarantine(self, key: str) -> Artifact | None:
        """Judge again under the lock: meanwhile somebody may have replaced what was damaged."""
        lock = self._lock(key)
        with explained(self.root):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                return None  # somebody is making it anew
        try:
            return self._load_or_quarantine(key)
        finally:
            lock.release()

    def _load_or_quarantine(self, key: str) -> Artifact | None:
        try:
            return self._load(key)
        except CorruptArtifact as damage:
            self._quarantine(key, damage)
            return None

    def _quarantine(self, key: str, damage: CorruptArtifact) -> None:
        with explained(self.root):
            place = self.root / "quarantine"
            place.mkdir(parents=True, exist_ok=True)
            number = sum(1 for _ in place.glob(f"{key}.*"))
            aside = place / f"{key}.{number}"
            self._folder(key).rename(aside)
        _LOG.warning("%s; the damaged artefact lies in %s and is made anew", damage, aside)
