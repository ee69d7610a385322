"""Manifests: a JSON file in an artefact's folder that says what must be there. It is written last."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from blip_core import strict_json
from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.keys import canonical_json
from blip_core.store.schema import SCHEMA_VERSION, refuse_later_version

MANIFEST = "manifest.json"
_VERSION = "schema_version"
_CHECKSUM = "checksum"  # over all else; a manifest that an earlier version wrote has none


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and sha256, in hex, of one file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a complete artefact holds; `files` is keyed by paths relative to its folder."""

    key: str
    kind: str
    rows: int
    files: Mapping[str, FileRecord]
    metadata: Mapping[str, Any]
    schema_version: int = SCHEMA_VERSION

    @property
    def digest(self) -> str:
        digests = {name: record.sha256 for name, record in self.files.items()}
        return hashlib.sha256(canonical_json(digests).encode()).hexdigest()

    @classmethod
    def of(cls, folder: Path, key: str, kind: str, metadata: Mapping[str, Any]) -> Self:
        """Describe a folder that has just been built; `metadata["rows"]`, where given, counts its rows.

        Raises:
            StoreError: It holds a link, a device or a file that bears the manifest's name.
        """
        files = {path.relative_to(folder).as_posix(): record_file(path) for path in plain_files(folder)}
        if MANIFEST in files:
            raise StoreError(f"{folder} already holds {MANIFEST}: that name belongs to the store")
        return cls(key, kind, int(metadata.get("rows", 0)), files, dict(metadata))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of an artefact.

        Raises:
            FileNotFoundError: There is none, so the artefact is not complete.
            CorruptArtifact: It is no manifest.
            PlaceError: A later version of blip-foundry wrote it.
        """
        text = (folder / MANIFEST).read_bytes()
        try:
            content = strict_json.loads(text)
        except ValueError as error:
            raise CorruptArtifact(f"{folder / MANIFEST} is not a manifest: {error!r}") from error
        return cls.from_json(content, str(folder / MANIFEST))

    @classmethod
    def from_json(cls, content: Any, where: str) -> Self:
        """A manifest from its JSON value.

        Args:
            content: as it was read.
            where: it was read, for people.

        Raises:
            CorruptArtifact: It is no manifest.
            PlaceError: A later version of blip-foundry wrote it.
        """
        try:
            content = dict(content)
            if content[_VERSION] > SCHEMA_VERSION and content.get(_CHECKSUM) == _checksum(content):
                refuse_later_version(content[_VERSION], where)
            files = {name: FileRecord(**record) for name, record in content["files"].items()}
            fields = ("key", "kind", "rows", "metadata", "schema_version")
            manifest = cls(files=files, **{name: content[name] for name in fields})
            written = manifest._content()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptArtifact(f"{where} is not a manifest: {error!r}") from error
        content.setdefault(_CHECKSUM, written[_CHECKSUM])
        if manifest.schema_version != SCHEMA_VERSION or content != written:
            raise CorruptArtifact(f"{where} does not agree with itself")
        return manifest

    def to_json(self) -> str:
        return strict_json.dumps(self._content(), indent=2, sort_keys=True)

    def _content(self) -> dict[str, Any]:
        content = asdict(self) | {"digest": self.digest}
        return content | {_CHECKSUM: _checksum(content)}

    def artifact(
        self,
        folder: Path,
        at: datetime | None = None,
        size: int | None = None,
        fetch: Callable[[], None] | None = None,
    ) -> Artifact:
        """What the manifest tells of; see `Artifact` for the rest."""
        return Artifact(
            self.key, self.kind, folder, self.digest, self.rows, self.metadata, at=at, size=size, fetch=fetch
        )

    def sizes_agree(self, folder: Path) -> bool:
        """Whether every file is there and as long as it was; reads no file."""
        return all(_size(folder / name) == record.size for name, record in self.files.items())

    def check(self, folder: Path) -> None:
        """Compare every file with its digest.

        Raises:
            CorruptArtifact: A file is missing or differs; the message names the first.
        """
        for name, record in self.files.items():
            path = folder / name
            if not path.is_file():
                raise CorruptArtifact(f"{path} is missing")
            if record_file(path) != record:
                raise CorruptArtifact(f"{path} is not what was published")


def _checksum(content: Mapping[str, Any]) -> str:
    """Of all that a manifest says but for this."""
    said = {name: value for name, value in content.items() if name != _CHECKSUM}
    text = canonical_json(said).encode("utf-8", "surrogatepass")  # a path may be no proper text
    return hashlib.sha256(text).hexdigest()


def plain_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted.

    Raises:
        StoreError: Something there is neither a file nor a folder; a manifest could not vouch for it.
    """
    found = sorted(folder.rglob("*"))
    for path in found:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError(f"{path} is not a plain file, so it cannot be published")
    return [path for path in found if path.is_file()]


def record_file(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(file.tell(), digest)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
