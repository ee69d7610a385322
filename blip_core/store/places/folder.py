"""A folder of this machine.

- `artifacts/KEY/...`: finished work with its `manifest.json`, which is written last
- `staging/KEY.RANDOM/`: work in the making; whatever a killed writer leaves is swept by the next
- `locks/KEY.lock`: held while KEY is made; the kernel lets go when its holder dies
- `quarantine/KEY.NUMBER/`: damaged work, moved aside to be looked at
- `lines/KEY.json`: versions of datasets that grow
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from blip_core.errors import CorruptArtifact
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained, sync, sync_tree
from blip_core.store.faults import Reach
from blip_core.store.manifest import MANIFEST, Manifest
from blip_core.store.places.locks import KernelLocks
from blip_core.store.places.place import Damaged, Taken

_READABLE = 0o755  # mkdtemp hides its folder; an artefact is for all who may read the store


class FolderPlace:
    """Artefacts in a folder; see `Place`.

    Nothing is made on disk before something is published, so a folder that cannot be written can be read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().absolute()
        self._locks = KernelLocks(self._root)
        self._has_swept = False

    @property
    def root(self) -> Path:
        return self._root

    @property
    def shelf(self) -> None:
        return None

    @property
    def address(self) -> str:
        return str(self._root)

    def folder(self, key: str) -> Path:
        """Where an artefact is, or would be."""
        return self._root / "artifacts" / key

    def load(self, key: str) -> Artifact | None:
        folder = self.folder(key)
        try:
            manifest = Manifest.read(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if manifest.key != key:
            raise CorruptArtifact(f"{folder} holds the manifest of {manifest.key}")
        manifest.check(folder)
        return manifest.artifact(folder)

    def peek(self, key: str) -> Artifact | None:
        folder = self.folder(key)
        try:
            manifest = Manifest.read(folder)
        except (FileNotFoundError, NotADirectoryError, CorruptArtifact):
            return None
        return manifest.artifact(folder) if manifest.sizes_agree(folder) else None

    def keys(self, beginning: str) -> list[str]:
        folder = self._root / "artifacts"
        paths = sorted(folder.glob(f"{beginning}*")) if folder.is_dir() else []
        return [path.name for path in paths if (path / MANIFEST).exists()]

    def artifacts(self) -> list[Artifact]:
        return [artifact for path in self._moved() if (artifact := self.peek(path.name)) is not None]

    def let_go(self, key: str) -> None:
        """Nothing is kept here for whoever reads it."""

    @contextmanager
    def staging(self, key: str) -> Iterator[Path]:
        with explained(self._root):
            parent = self._root / "staging"
            parent.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=parent))
            staged.chmod(_READABLE)
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)  # gone already where it was moved in

    def put(self, staged: Path, manifest: Manifest, reach: Reach) -> Artifact:
        folder = self.folder(manifest.key)
        with explained(self._root):
            sync_tree(staged)
            reach("publish.synced")
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged.rename(folder)
            sync(folder.parent)
            reach("publish.moved")
            unfinished = folder / f".{MANIFEST}"
            unfinished.write_text(manifest.to_json(), encoding="utf-8")
            sync(unfinished)
            reach("publish.before-manifest")
            unfinished.rename(folder / MANIFEST)
            sync(folder)
            reach("publish.manifest")
        return manifest.artifact(folder)

    def remove(self, key: str) -> None:
        folder = self.folder(key)
        with explained(self._root), self.locked(key):
            (folder / MANIFEST).unlink(missing_ok=True)
            sync(folder.parent)
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, key: str) -> None:
        """Remove what killed writers left: of `key`, whose lock we hold, and of keys nobody is making.

        All artefacts are looked through once: a store may hold very many, and is asked at each of them.
        """
        with explained(self._root):
            moved = [self.folder(key)] if self._has_swept else self._moved()
            self._has_swept = True
            for left in self._staged() + [path for path in moved if _is_unfinished(path)]:
                owner = left.name.partition(".")[0]
                if owner == key:
                    shutil.rmtree(left)
                else:
                    self._remove_if_abandoned(left, owner)

    def _staged(self) -> list[Path]:
        folder = self._root / "staging"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def _moved(self) -> list[Path]:
        folder = self._root / "artifacts"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def _remove_if_abandoned(self, left: Path, owner: str) -> None:
        try:
            with self.locked(owner, wait=False):
                if not (left / MANIFEST).exists():  # it may have been finished before we had the lock
                    shutil.rmtree(left, ignore_errors=True)  # another sweeper may be at it, too
        except Taken:
            return

    def forget_abandoned(self) -> None:
        """Whoever publishes next has swept it all."""

    def set_aside(self, key: str) -> str:
        with explained(self._root):
            place = self._root / "quarantine"
            place.mkdir(parents=True, exist_ok=True)
            number = sum(1 for _ in place.glob(f"{key}.*"))
            aside = place / f"{key}.{number}"
            self.folder(key).rename(aside)
        return str(aside)

    def quarantined(self) -> list[Damaged]:
        folder = self._root / "quarantine"
        paths = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        return [
            Damaged(path.name, path, _size(path), datetime.fromtimestamp(path.stat().st_mtime, UTC))
            for path in paths
        ]

    def forget_damaged(self, name: str) -> None:
        with explained(self._root):
            shutil.rmtree(self._root / "quarantine" / name, ignore_errors=True)

    def locked(self, name: str, wait: bool = True) -> AbstractContextManager[None]:
        return self._locks.locked(name, wait)

    def held(self) -> list[str]:
        return self._locks.held()

    def read_note(self, name: str) -> bytes | None:
        path = self._root / name
        return path.read_bytes() if path.exists() else None

    def write_note(self, name: str, content: bytes, before: bytes | None) -> None:
        path = self._root / name
        with explained(self._root), self.locked("notes"):
            if self.read_note(name) != before:
                raise Taken(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            unfinished.write_bytes(content)
            sync(unfinished)
            unfinished.rename(path)
            sync(path.parent)

    def notes(self, folder: str) -> list[str]:
        below = self._root / folder
        return [f"{folder}/{path.name}" for path in sorted(below.glob("*.json"))] if below.is_dir() else []


def _is_unfinished(folder: Path) -> bool:
    """Whether an artefact was moved in and has no manifest yet."""
    return folder.exists() and not (folder / MANIFEST).exists()


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file() and not one.is_symlink())
