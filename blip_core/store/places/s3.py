"""A bucket that several machines share, with a cache on each.

- `artifacts/KEY/ATTEMPT/...`: files of finished work, and of attempts that lost or died
- `artifacts/KEY/manifest.json`: names the attempt that counts; written last, and only where there is none
- `leases/NAME.json`: who is making what, see `leases`
- `quarantine/KEY.NUMBER/...`: damaged work, moved aside to be looked at
- `lines/KEY.json`, `training/`, `journal/`, `reports/`: small files, and what goes on elsewhere

What another writer left before its manifest is removed by whoever writes the manifest: no attempt but the one
it names can count from then on.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath

from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained, is_full
from blip_core.store.faults import Reach
from blip_core.store.manifest import Manifest
from blip_core.store.places.cache import Cache
from blip_core.store.places.leases import CLOCK, LEASE_S, Leases
from blip_core.store.places.listing import ARTIFACTS, Listing, Pointer, manifest_object, with_manifest
from blip_core.store.places.objects import Found, Objects
from blip_core.store.places.place import Damaged, Taken
from blip_core.store.places.racing import RACES
from blip_core.store.places.shelf import Shelf

ABANDONED = timedelta(days=1)
_QUARANTINE = "quarantine"


class S3Place:
    """Artefacts in a bucket; see `Place`.

    Args:
        objects: of the bucket.
        cache: for what is read or made here.
        lease_s: see `leases.LEASE_S`.
    """

    def __init__(self, objects: Objects, cache: Cache, lease_s: float = LEASE_S) -> None:
        self.objects = objects
        self._cache = cache
        self._lease_s = lease_s
        self._listing = Listing(objects, cache.root / "manifests")

    @property
    def address(self) -> str:
        return self.objects.address

    @property
    def root(self) -> Path:
        return self._cache.root

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.objects)

    @cached_property
    def _leases(self) -> Leases:
        return Leases(self.objects, self._cache.machine, self._lease_s)

    def load(self, key: str) -> Artifact | None:
        there = self._pointer(key)
        if there is None:
            return None
        self._cache.use(key)
        found = self._cache.find(there.manifest)
        return found or self._fetch(there)

    def peek(self, key: str) -> Artifact | None:
        try:
            there = self._pointer(key)
        except CorruptArtifact:
            return None
        listed = {one.name: one for one in self.objects.list(f"{ARTIFACTS}/{key}")}
        return self._listed(there, listed) if there is not None else None

    def keys(self, beginning: str) -> list[str]:
        return self._listing.keys(beginning)

    def artifacts(self) -> list[Artifact]:
        listed = with_manifest(self._listing.all_by_key())
        pointers = self._listing.pointers(listed)
        found = (self._listed(there, listed[there.manifest.key]) for there in pointers)
        return [one for one in found if one is not None]

    def let_go(self, key: str) -> None:
        self._cache.let_go(key)

    def staging(self, key: str) -> AbstractContextManager[Path]:
        return self._cache.folder.staging(key)

    def put(self, staged: Path, manifest: Manifest, reach: Reach) -> Artifact:
        there = Pointer(uuid.uuid4().hex, manifest)
        reach("publish.synced")
        for name in manifest.files:
            self.objects.put(there.object(name), staged / name)
        reach("publish.moved")
        reach("publish.before-manifest")
        try:
            self.objects.create(manifest_object(manifest.key), there.to_json())
        except Taken:
            return self._lost(there)
        reach("publish.manifest")
        self._forget_attempts(there)
        self._cache.use(manifest.key)
        with self._cache.fetching(manifest.key):
            return self._cache.keep(staged, manifest)

    def remove(self, key: str) -> None:
        with self.locked(key):
            self.objects.delete([manifest_object(key)])
            self.objects.delete([one.name for one in self.objects.list(f"{ARTIFACTS}/{key}")])
            self._cache.forget(key)

    def sweep(self, key: str) -> None:
        """Remove what killed writers left on this machine; in the bucket, whoever succeeds them does."""
        self._cache.folder.sweep(key)

    def forget_abandoned(self) -> None:
        """Remove attempts that no manifest names: at once where there is one, else after a day.

        A writer whose lease was lost may still be at its attempt while its key has no manifest.
        """
        listed = self._listing.all_by_key()
        for there in self._listing.pointers(with_manifest(listed)):
            self._forget_attempts(there)
        before = self._leases.now() - ABANDONED
        for key, found in listed.items():
            is_old = all(one.at < before for one in found.values())
            if manifest_object(key) not in found and is_old:
                self.objects.delete(list(found))
        forgotten = (one for folder in (CLOCK, RACES) for one in self.objects.list(folder))
        self.objects.delete([one.name for one in forgotten if one.at < before])

    def set_aside(self, key: str) -> str:
        numbers = {PurePosixPath(one.name).parts[1] for one in self.objects.list(_QUARANTINE)}
        aside = f"{_QUARANTINE}/{key}.{sum(one.rpartition('.')[0] == key for one in numbers)}"
        listed = list(self.objects.list(f"{ARTIFACTS}/{key}"))
        for one in listed:
            self.objects.copy(one.name, one.name.replace(f"{ARTIFACTS}/{key}", aside, 1))
        self.objects.delete([manifest_object(key)])
        self.objects.delete([one.name for one in listed])
        self._cache.forget(key)
        return f"{self.address}/{aside}"

    def quarantined(self) -> list[Damaged]:
        parts: dict[str, list[Found]] = defaultdict(list)
        for one in self.objects.list(_QUARANTINE):
            parts[PurePosixPath(one.name).parts[1]].append(one)
        return [
            Damaged(
                name,
                self.root / _QUARANTINE / name,
                sum(one.size for one in found),
                max(one.at for one in found),
            )
            for name, found in sorted(parts.items())
        ]

    def forget_damaged(self, name: str) -> None:
        self.objects.delete([one.name for one in self.objects.list(f"{_QUARANTINE}/{name}")])

    @contextmanager
    def locked(self, name: str, wait: bool = True) -> Iterator[None]:
        with self._cache.locks.locked(name, wait), self._leases.held(name, wait):
            yield

    def held(self) -> list[str]:
        return self._leases.names(self._cache.locks.held())

    def read_note(self, name: str) -> bytes | None:
        found = self.objects.get(name)
        return None if found is None else found.content

    def write_note(self, name: str, content: bytes, before: bytes | None) -> None:
        there = self.objects.get(name)
        if (None if there is None else there.content) != before:
            raise Taken(name)
        if there is None:
            self.objects.create(name, content)
        else:
            self.objects.replace(name, content, there.tag)

    def notes(self, folder: str) -> list[str]:
        return [one.name for one in self.objects.list(folder)]

    def _pointer(self, key: str) -> Pointer | None:
        there = self.objects.get(manifest_object(key))
        return (
            None
            if there is None
            else Pointer.read(key, there.content, f"{self.address}/{manifest_object(key)}")
        )

    def _fetch(self, there: Pointer) -> Artifact | None:
        """Bring an artefact here, every file compared with its digest.

        Raises:
            CorruptArtifact: A file is missing or differs.
            StoreError: The cache's disk is full, and all that is in it is in use.
        """
        key = there.manifest.key
        with self._cache.fetching(key) as staged:
            found = self._cache.find(there.manifest)  # another process may have fetched it while we waited
            if found is not None:
                return found
            with explained(self.root):
                self._bring(there, staged)
                return self._cache.keep(staged, there.manifest)

    def _bring(self, there: Pointer, staged: Path) -> None:
        for name, record in there.manifest.files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                brought = self.objects.fetch(there.object(name), path)
            except OSError as error:
                if not is_full(error) or not self._cache.make_room():
                    raise
                brought = self.objects.fetch(there.object(name), path)
            if brought != record:
                what = "is missing" if brought is None else "is not what was published"
                raise CorruptArtifact(f"{self.address}/{there.object(name)} {what}")

    def _listed(self, there: Pointer, listed: dict[str, Found]) -> Artifact | None:
        """An artefact by a listing, if all its files have their sizes; they are fetched when it is read."""
        sizes = {name: listed.get(there.object(name)) for name in there.manifest.files}
        if any(one is None or one.size != there.manifest.files[name].size for name, one in sizes.items()):
            return None
        key = there.manifest.key
        own = listed[manifest_object(key)]
        size = own.size + sum(record.size for record in there.manifest.files.values())
        return there.manifest.artifact(
            self._cache.folder.folder(key), at=own.at, size=size, fetch=lambda: self._at_hand(key)
        )

    def _at_hand(self, key: str) -> None:
        """Fetch what somebody reads who knows it from a listing alone."""
        if self.load(key) is None:
            raise StoreError(f"artefact {key} is gone from the store {self.address}; run again")

    def _lost(self, there: Pointer) -> Artifact:
        """Take what a quicker writer made, and remove our own attempt."""
        key = there.manifest.key
        self.objects.delete([there.object(name) for name in there.manifest.files])
        winner = self.load(key)
        if winner is None:
            raise StoreError(f"artefact {key} was removed from {self.address} while it was made; run again")
        return winner

    def _forget_attempts(self, there: Pointer) -> None:
        """Remove what others left of this key: since the manifest is there, it can count no more."""
        key = there.manifest.key
        kept = f"{ARTIFACTS}/{key}/{there.attempt}/"
        left = [one.name for one in self.objects.list(f"{ARTIFACTS}/{key}")]
        self.objects.delete([one for one in left if not one.startswith(kept) and one != manifest_object(key)])
