"""A store moves to another place: what is there stays, what differs is told, and what broke off goes on."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from blip_core.errors import CorruptArtifact, StoreError
from blip_core.store.artifact import Artifact
from blip_core.store.durable import explained
from blip_core.store.faults import pass_by
from blip_core.store.lineage import size_bytes
from blip_core.store.manifest import Manifest
from blip_core.store.places import Place, Taken
from blip_core.store.store import Store
from blip_core.store.versions import FOLDER

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Copied:
    """What a copy did, by key.

    Attributes:
        copied: that were not there.
        there: that were, with the same content.
        differing: that were, with another; they stay as they are.
        damaged: that are not what was published, and stay where they are.
        bytes: that were copied.
        notes: versions of datasets that differ; they stay as they are.
    """

    copied: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all that the source holds is at the target now."""
        return not (self.differing or self.damaged or self.notes)


def copy_store(source: Store, target: Store, progress: Progress) -> Copied:
    """Copy every artefact, each checked before it is read and again before it appears.

    Args:
        source: nothing in it is changed.
        target: gets what it lacks; nothing in it is overwritten.
        progress: told artefacts done, and how many there are.

    Raises:
        StoreError: Both are the same, or the target's disk is full; what is copied stays.
        PlaceError: The target cannot be written.
    """
    if source.address == target.address:
        raise StoreError(f"{source.address} is both what is copied and where to; name two stores")
    target.check_schema()
    done, known = Copied(), {one.key: one.digest for one in target.artifacts()}
    keys = source.keys("")
    for number, key in enumerate(keys, start=1):
        _copy(source, target, key, known, done)
        progress(number, len(keys))
    for note in source.place.notes(FOLDER):
        if not _copied_note(source.place, target.place, note):
            done.notes.append(note)
    return done


def _copy(source: Store, target: Store, key: str, known: dict[str, str], done: Copied) -> None:
    listed = source.peek(key)
    if listed is None:
        done.damaged.append(key)
    elif key in known:
        (done.there if known[key] == listed.digest else done.differing).append(key)
    else:
        _bring(source, target, key, done)


def _bring(source: Store, target: Store, key: str, done: Copied) -> None:
    try:
        found = source.place.load(key)
    except CorruptArtifact:
        found = None
    if found is None:
        done.damaged.append(key)
        return
    made = _put(found, target.place)
    (done.copied if made.digest == found.digest else done.differing).append(key)
    done.bytes += size_bytes(found)
    source.place.let_go(key)
    target.place.let_go(key)


def _put(found: Artifact, place: Place) -> Artifact:
    """Publish the same files under the same manifest.

    Raises:
        StoreError: What was read is not what was copied: the disk fails.
    """
    manifest = Manifest.read(found.path)
    with place.locked(found.key):
        place.sweep(found.key)
        there = place.peek(found.key)
        if there is not None:
            return there
        with explained(place.root), place.staging(found.key) as staged:
            for name in manifest.files:
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.path / name, staged / name)
            manifest.check(staged)
            return place.put(staged, manifest, pass_by)


def _copied_note(source: Place, target: Place, note: str) -> bool:
    content = source.read_note(note)
    there = target.read_note(note)
    if content is None or there == content:
        return True
    if there is not None:
        return False
    try:
        target.write_note(note, content, None)
    except Taken:
        return False
    return True
