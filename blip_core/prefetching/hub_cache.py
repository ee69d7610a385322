"""What the hub's own tools have fetched to this machine before: their cache, read and never written.

    CACHE/models--OWNER--NAME/refs/REVISION          the commit that a branch or tag had
    CACHE/models--OWNER--NAME/snapshots/COMMIT/FILE  a link to
    CACHE/models--OWNER--NAME/blobs/DIGEST           sha256 of large files, git's name of small ones

A blob's name is what the hub promises of its content, so that it is checked as a download is.
Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from blip_core.errors import CheckpointError
from blip_core.prefetching.damage import sha256_of
from blip_core.prefetching.hub import Snapshot, is_file
from blip_core.prefetching.needs import Need
from blip_core.prefetching.selecting import PIPELINE_INDEX, RemoteFile, component_folders, select

_NEWEST = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class CachedRepository:
    """One repository in the cache, if it is there.

    Attributes:
        folder: `CACHE/models--OWNER--NAME`.
    """

    folder: Path

    def blob(self, file: RemoteFile) -> Path | None:
        """The file where it was fetched before; its content is compared with the digest that is promised."""
        path = self.folder / "blobs" / (file.sha256 or file.git_oid)
        if not path.is_file() or path.stat().st_size != file.size:
            return None
        if file.sha256:  # read once, however often it is asked for
            return path if sha256_of(path) == file.sha256 else None
        return path if is_file(path, file) else None

    def snapshot(self, need: Need, revision: str) -> Snapshot | None:
        """What is needed of a repository, as far as the cache has it; None, it has not.

        Args:
            need: what the recipe uses.
            revision: commit, tag or branch; empty, the newest that was fetched.
        """
        commit = self._commit(revision)
        folder = self.folder / "snapshots" / commit
        if not commit or not folder.is_dir():
            return None
        try:
            files = [_file(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
            known = [file for file in files if file.sha256 or file.git_oid]
            index = folder / PIPELINE_INDEX
            parts = component_folders(index.read_bytes(), need.id) if index.is_file() else set()
            selection = select(need, known, parts if need.safetensors else set())
        except (CheckpointError, OSError):  # fetched in part, or for another purpose
            return None
        whole = all(self.blob(file) for file in selection.all)
        return Snapshot(commit, selection) if whole else None

    def _commit(self, revision: str) -> str:
        if _COMMIT.fullmatch(revision):
            return revision
        ref = self.folder / "refs" / (revision or _NEWEST)
        try:
            commit = ref.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return commit if _COMMIT.fullmatch(commit) else ""


def cached_repository(cache: Path, repository: str) -> CachedRepository:
    """Where the cache keeps a repository."""
    return CachedRepository(cache / f"models--{repository.replace('/', '--')}")


def take(file: RemoteFile, blob: Path, target: Path) -> None:
    """Let a file of the cache stand in a second place: small ones, which people edit, as a copy.

    Large ones take no more room, and outlive the cache where both lie on one disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if not file.sha256:
        shutil.copyfile(blob, target)
        return
    try:
        os.link(blob.resolve(), target)
    except OSError:  # on another disk, or one without links
        target.symlink_to(blob.resolve())


def _file(folder: Path, path: Path) -> RemoteFile:
    """A file of a snapshot, as its blob's name describes it; of one that is no such link nothing is known."""
    blob = path.resolve()
    digest = blob.name if blob.parent == (folder.parents[1] / "blobs").resolve() else ""
    name, size = path.relative_to(folder).as_posix(), path.stat().st_size
    if len(digest) == _SHA256_DIGITS:
        return RemoteFile(name, size, sha256=digest)
    return RemoteFile(name, size, git_oid=digest)
