"""What is in a bucket: manifests that name an attempt, and lists of them that ask as little as they can."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from blip_core import strict_json
from blip_core.errors import CorruptArtifact
from blip_core.store.durable import explained
from blip_core.store.manifest import MANIFEST, Manifest
from blip_core.store.places.objects import Found, Objects

ARTIFACTS = "artifacts"
_ASKED_AT_ONCE = 16
_ATTEMPT = re.compile(r"[0-9a-f]{32}")


def manifest_object(key: str) -> str:
    return f"{ARTIFACTS}/{key}/{MANIFEST}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A manifest in a bucket, and the attempt that it vouches for."""

    attempt: str
    manifest: Manifest

    def object(self, name: str) -> str:
        """Where a file of the artefact is; a name may hold what addresses may not."""
        return f"{ARTIFACTS}/{self.manifest.key}/{self.attempt}/{quote(os.fsencode(name), safe='/')}"

    def to_json(self) -> bytes:
        told = {"attempt": self.attempt, "manifest": strict_json.loads(self.manifest.to_json())}
        return strict_json.dumps(told, indent=2, sort_keys=True).encode()

    @classmethod
    def read(cls, key: str, content: bytes, where: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            CorruptArtifact: It is no such manifest, or that of another key.
        """
        try:
            told = strict_json.loads(content)
            attempt, manifest = str(told["attempt"]), told["manifest"]
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptArtifact(f"{where} is not a manifest: {error!r}") from error
        found = Manifest.from_json(manifest, where)
        if found.key != key or not _ATTEMPT.fullmatch(attempt):
            raise CorruptArtifact(f"{where} holds the manifest of {found.key}")
        return cls(attempt, found)


class Listing:
    """Lists of a bucket's artefacts.

    Args:
        objects: of the bucket.
        kept: folder for manifests that were read, so that one is asked for once while it stays.
    """

    def __init__(self, objects: Objects, kept: Path) -> None:
        self._objects = objects
        self._kept = kept

    def keys(self, beginning: str) -> list[str]:
        """Keys with a manifest that begin so, in order."""
        found = []
        for one in self._objects.list(ARTIFACTS, after=f"{ARTIFACTS}/{beginning}"):
            key, name = _parts(one)
            if not key.startswith(beginning):
                break
            if name == MANIFEST:
                found.append(key)
        return found

    def all_by_key(self) -> dict[str, dict[str, Found]]:
        """All objects of artefacts and of attempts, by key and name."""
        listed: dict[str, dict[str, Found]] = defaultdict(dict)
        for one in self._objects.list(ARTIFACTS):
            listed[_parts(one)[0]][one.name] = one
        return dict(sorted(listed.items()))

    def pointers(self, listed: Mapping[str, Mapping[str, Found]]) -> list[Pointer]:
        """The manifests of what is listed, but for those that are damaged."""
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            read = pool.map(lambda key: self._read(key, listed[key][manifest_object(key)].tag), listed)
            return [one for one in read if one is not None]

    def _read(self, key: str, tag: str) -> Pointer | None:
        path = self._kept / f"{key}.{quote(tag, safe='')}.json"
        content = path.read_bytes() if path.exists() else self._ask(key, path)
        try:
            return None if content is None else Pointer.read(key, content, f"{self._objects.address}/{key}")
        except CorruptArtifact:
            return None

    def _ask(self, key: str, path: Path) -> bytes | None:
        there = self._objects.get(manifest_object(key))
        if there is None:
            return None
        if path.name == f"{key}.{quote(there.tag, safe='')}.json":
            with explained(self._kept):
                self._kept.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(f".{os.getpid()}")
                unfinished.write_bytes(there.content)
                unfinished.rename(path)
        return there.content


def with_manifest(listed: Mapping[str, dict[str, Found]]) -> dict[str, dict[str, Found]]:
    """Of what is listed, that which is complete, or was."""
    return {key: found for key, found in listed.items() if manifest_object(key) in found}


def _parts(found: Found) -> tuple[str, str]:
    """Key, and name within the artefact."""
    _, key, name = found.name.split("/", 2)
    return key, name
