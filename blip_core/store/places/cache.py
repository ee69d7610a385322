"""The cache of a store elsewhere: a folder of this machine with what was read or made here last.

It is a store's folder in itself, but that the object store alone says what there is. What a process has asked
for stays until it ends; else what was asked for longest ago goes where the cache outgrows its bound.
"""

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained
from blip_core.store.manifest import MANIFEST, Manifest, plain_files
from blip_core.store.places.folder import FolderPlace
from blip_core.store.places.locks import KernelLocks
from blip_core.store.places.place import Taken

_EVICTING, _USING, _FETCHING = "evicting", "using-", "fetching-"
_KEPT_SHARE = 0.9
"""So much of the bound stays when something has to go, so that not every artefact makes another go."""
_LOOKS = 20
"""After each such part of the bound that comes in, the cache is measured."""


class Cache:
    """Artefacts of a store elsewhere.

    Args:
        root: its folder.
        bound_bytes: what it may take; more only where all is in use.
    """

    def __init__(self, root: Path, bound_bytes: int) -> None:
        self.folder = FolderPlace(root)
        self.locks = KernelLocks(self.folder.root)
        self._bound = bound_bytes
        self._used = _Used(self.folder.root, self.locks)
        self._unmeasured = bound_bytes  # so that the first that comes in is measured with what is there

    @property
    def root(self) -> Path:
        return self.folder.root

    @property
    def machine(self) -> str:
        """Names this cache of this machine, since it was started: its processes lock each other out."""
        path = self.root / "machine"
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with self.locks.locked("machine"):
                    if not path.exists():
                        path.write_text(uuid.uuid4().hex)
        return f"{path.read_text()} {os.uname().nodename} {_boot()}"

    def use(self, key: str) -> None:
        """Keep an artefact, whether it is here yet or not, until this process ends."""
        self._used.add(key)

    def let_go(self, key: str) -> None:
        """Keep an artefact no longer for this process."""
        self._used.remove(key)

    def find(self, manifest: Manifest) -> Artifact | None:
        """Give an artefact after comparing every file with its digest; None where it has to be fetched."""
        path = self.folder.folder(manifest.key) / MANIFEST
        try:
            if path.read_text(encoding="utf-8") != manifest.to_json():
                return None
            found = self.folder.load(manifest.key)
            os.utime(path)  # it was used now
        except (OSError, ValueError, CorruptArtifact):
            return None
        return found

    @contextmanager
    def fetching(self, key: str) -> Iterator[Path]:
        """A folder to fetch an artefact into, while no other process of this machine does."""
        name = f"{_FETCHING}{key}"
        with self.locks.locked(name), self.folder.staging(name) as staged:
            yield staged

    def keep(self, staged: Path, manifest: Manifest) -> Artifact:
        """Take a folder in, in place of what is here; called by whoever is fetching it."""
        folder = self.folder.folder(manifest.key)
        with explained(self.root):
            (staged / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
            self._put_away(folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged.rename(folder)
        self._came_in(sum(record.size for record in manifest.files.values()))
        return manifest.artifact(folder)

    def forget(self, key: str) -> None:
        """Remove what is here of an artefact."""
        with self.locks.locked(f"{_FETCHING}{key}"):
            self._put_away(self.folder.folder(key))

    def make_room(self) -> int:
        """Remove all that nobody uses; gives how many bytes."""
        return self._evict(0)

    def _put_away(self, folder: Path) -> None:
        """Let a folder vanish at once, and then remove it: nobody sees half of one."""
        if folder.exists():
            with self.folder.staging(f"{_FETCHING}{folder.name}") as aside:
                folder.rename(aside / folder.name)

    def _came_in(self, size: int) -> None:
        self._unmeasured += size
        if self._unmeasured >= self._bound / _LOOKS:
            self._unmeasured = 0
            self._evict(self._bound)

    def _evict(self, bound: int) -> int:
        """Let go of what was used longest ago, if the cache takes more than a bound."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.locks.locked(_EVICTING, wait=False))
            except Taken:
                return 0  # somebody is at it
            here = sorted(map(_measured, (self.root / "artifacts").glob("*")))
            surplus = sum(size for _, size, _ in here) - int(bound * _KEPT_SHARE)
            if sum(size for _, size, _ in here) <= bound:
                return 0
            return self._let_go(here, surplus)

    def _let_go(self, here: list[tuple[float, int, str]], surplus: int) -> int:
        gone = 0
        with self._used.settled() as used:
            for _, size, key in here:
                if gone >= surplus:
                    break
                if key not in used:
                    shutil.rmtree(self.folder.folder(key), ignore_errors=True)
                    gone += size
        return gone


class _Used:
    """Keys that processes of this machine have asked for: `using/NAME` while a process holds its lock."""

    def __init__(self, root: Path, locks: KernelLocks) -> None:
        self._folder = root / "using"
        self._locks = locks
        self._keys: set[str] = set()
        self._process = 0
        self._name = ""
        self._held = ExitStack()
        self._alone = threading.Lock()

    def add(self, key: str) -> None:
        with self._alone:
            if self._process != os.getpid():
                self._begin()
            if key in self._keys:
                return
            with self._locks.locked(_USING), (self._folder / self._name).open("a") as file:
                file.write(f"{key}\n")
            self._keys.add(key)

    def remove(self, key: str) -> None:
        with self._alone:
            if key in self._keys and self._process == os.getpid():
                self._keys.remove(key)
                with self._locks.locked(_USING):
                    (self._folder / self._name).write_text("".join(f"{one}\n" for one in sorted(self._keys)))

    @contextmanager
    def settled(self) -> Iterator[set[str]]:
        """All keys in use; nobody begins to use another meanwhile."""
        with self._locks.locked(_USING):
            yield {key for path in self._folder.glob("*") for key in self._of(path)}

    def _begin(self) -> None:
        self._process, self._name, self._keys = os.getpid(), f"{_USING}{uuid.uuid4().hex}", set()
        with explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._held = ExitStack()
        self._held.enter_context(self._locks.locked(self._name))  # the kernel lets go when we end

    def _of(self, path: Path) -> list[str]:
        if path.name == self._name:
            return list(self._keys)
        try:
            with self._locks.locked(path.name, wait=False):
                path.unlink(missing_ok=True)  # of a process that has ended
                (self._folder.parent / "locks" / f"{path.name}.lock").unlink(missing_ok=True)
        except Taken:
            return path.read_text().splitlines()
        return []


def _measured(folder: Path) -> tuple[float, int, str]:
    """When an artefact was used last, its bytes and its key."""
    try:
        return (
            (folder / MANIFEST).stat().st_mtime,
            sum(one.stat().st_size for one in plain_files(folder)),
            folder.name,
        )
    except (OSError, StoreError):
        return 0.0, 0, folder.name  # it is being put away


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
