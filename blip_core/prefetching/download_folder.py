"""One checkpoint in the making."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blip_core.prefetching.converting import check_index, convert, in_order
from blip_core.prefetching.damage import sha256_of
from blip_core.prefetching.hub import Hub, Watcher, is_file
from blip_core.prefetching.hub_cache import CachedRepository, take
from blip_core.prefetching.lock import LockedFile
from blip_core.prefetching.selecting import RemoteFile, Selection, converted_name, is_pickled
from blip_core.store.durable import sync

_PART = ".part"
_NOTE = ".from"  # tells what a converted file was made from, until the lock does
_INDEX = ".index.json"


@dataclass(frozen=True, slots=True)
class DownloadFolder:
    """A checkpoint's folder and the one beside it where it grows.

    Attributes:
        folder: the finished one.
        staging: the one in the making.
        held: what the lock says of the finished one.
        cached: what the hub's own tools have of the repository.
    """

    folder: Path
    staging: Path
    held: Mapping[str, LockedFile]
    cached: CachedRepository | None = None

    def has(self, file: RemoteFile) -> bool:
        return self._lies(file) or self._blob(file) is not None

    def has_converted(self, file: RemoteFile) -> bool:
        """Whether a pickled file is here still, or safetensors made from it."""
        made = is_file(self.staging / file.name, file) or self.origin_of(file) == origin(file)
        return made or self._blob(file) is not None

    def link_cached(self, wanted: Selection) -> int:
        """Link into the folder in the making what the hub's own tools have fetched; gives how many files."""
        missing = [file for file in wanted.files if not self._lies(file)]
        missing += [
            file
            for file in wanted.pickled
            if not is_file(self.staging / file.name, file) and self.origin_of(file) != origin(file)
        ]
        found = [(file, blob) for file in missing if (blob := self._blob(file))]
        for file, blob in found:
            take(file, blob, self.staging / file.name)
        return len(found)

    def _lies(self, file: RemoteFile) -> bool:
        return is_file(self.staging / file.name, file) or is_file(self.folder / file.name, file)

    def _blob(self, file: RemoteFile) -> Path | None:
        return self.cached.blob(file) if self.cached else None

    def origin_of(self, file: RemoteFile) -> str:
        """What the safetensors that stand for a pickled file were made from; empty where there are none."""
        name = converted_name(file.name)
        note = self._note(name)
        if (self.staging / name).is_file() and note.is_file():
            return note.read_text(encoding="utf-8")
        kept, path = self.held.get(name), self.folder / name
        return kept.made_from if kept and path.is_file() and sha256_of(path) == kept.sha256 else ""

    def text(self, name: str) -> str:
        """Content of a small file that has come, now or before; of an index, what it was converted to."""
        names = [name, converted_name(name)] if is_pickled(name) else [name]
        paths = [folder / one for one in names for folder in (self.staging, self.folder)]
        return next((path for path in paths if path.is_file()), paths[0]).read_text(encoding="utf-8")

    def download(self, repository: str, commit: str, file: RemoteFile, hub: Hub, watcher: Watcher) -> None:
        """Bring one file into the folder in the making; what was begun before is gone on with."""
        path = self.staging / file.name
        part = path.with_name(f"{path.name}{_PART}")
        part.parent.mkdir(parents=True, exist_ok=True)
        hub.download(repository, commit, file, part, watcher)
        sync(part)
        part.replace(path)

    def convert(self, pickled: Sequence[RemoteFile], watcher: Watcher) -> list[str]:
        """Convert what has not been; gives the names of the safetensors."""
        waiting = {file.name: file for file in pickled if (self.staging / file.name).is_file()}
        made = []
        for name in in_order(list(waiting)):
            watcher.say(f"converting {name} to safetensors")
            made.append(convert(self.staging, name))
            sync(self.staging / made[-1])
            self._note(made[-1]).write_text(origin(waiting[name]), encoding="utf-8")
            (self.staging / name).unlink()
        for name in made:
            if name.endswith(_INDEX):
                check_index(self.staging, name)
        return made

    def move_in(self, names: Iterable[str], stale: Iterable[str]) -> None:
        """Bring what is new into the finished folder, and remove from it what is stale."""
        for name in names:
            if (self.staging / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.staging / name).replace(self.folder / name)
        for name in stale:
            (self.folder / name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self.staging / f"{name}{_NOTE}"


def origin(file: RemoteFile) -> str:
    """Name and digest of a file on the hub that another is made from."""
    return f"{file.name} {file.sha256 or file.git_oid}"
