"""Files beside the artefacts of a bucket: what work that is not finished needs to go on elsewhere."""

from datetime import datetime
from pathlib import Path, PurePosixPath

from blip_core.store.durable import explained
from blip_core.store.manifest import plain_files
from blip_core.store.places.objects import Objects

TRAINING = "training"
"""Folder of the states of tunings that are not finished, by key."""


class Shelf:
    """Folders by name, such as `training/KEY`; each has one writer at a time.

    Args:
        objects: of the bucket.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def names(self, folder: str) -> list[str]:
        """What stands in a folder, in order."""
        depth = len(PurePosixPath(folder).parts)
        return sorted({PurePosixPath(one.name).parts[depth] for one in self._objects.list(folder)})

    def ages(self, folder: str) -> dict[str, datetime]:
        """When the newest file of each name in a folder was written, by the server's clock."""
        depth = len(PurePosixPath(folder).parts)
        found: dict[str, datetime] = {}
        for one in self._objects.list(folder):
            name = PurePosixPath(one.name).parts[depth]
            found[name] = max(one.at, found.get(name, one.at))
        return found

    def save(self, path: Path, name: str) -> None:
        """Bring a file there, or a folder with all that is in it."""
        if path.is_file():
            self._objects.put(name, path)
            return
        for file in plain_files(path):
            self._objects.put(f"{name}/{file.relative_to(path).as_posix()}", file)

    def bring(self, name: str, folder: Path) -> None:
        """Bring a folder here, into an empty one."""
        with explained(folder):
            for one in list(self._objects.list(name)):
                path = folder / one.name.removeprefix(f"{name}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                self._objects.fetch(one.name, path)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._objects.get(name) is not None

    def forget(self, name: str) -> None:
        """Remove a folder with all that is in it."""
        self._objects.delete([one.name for one in self._objects.list(name)])
