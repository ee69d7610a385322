"""A store moves to another place: what is there stays, what differs is told, and what broke off goes on."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
Outcome = Literal["copied", "there", "differing", "damaged"]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did, by key.

    Attributes:
        copied: that were not there.
        there: that were, with the same content.
        differing: that were, with another; they stay as they are.
        damaged: that are not what was published, and stay where they are.
        notes: versions of datasets that differ; they stay as they are.
        bytes: that were copied.
    """

    copied: tuple[str, ...]
    there: tuple[str, ...]
    differing: tuple[str, ...]
    damaged: tuple[str, ...]
    notes: tuple[str, ...]
    bytes: int

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
    known = {one.key: one.digest for one in target.artifacts()}
    keys, done, size = source.keys(""), dict[str, Outcome](), 0
    for number, key in enumerate(keys, start=1):
        done[key], more = _copy(source, target, key, known.get(key))
        size += more
        progress(number, len(keys))

    def those(wanted: Outcome) -> tuple[str, ...]:
        return tuple(key for key, outcome in done.items() if outcome == wanted)

    notes = source.place.notes(FOLDER)
    differing = tuple(note for note in notes if not _copied_note(source.place, target.place, note))
    return Copied(those("copied"), those("there"), those("differing"), those("damaged"), differing, size)


def _copy(source: Store, target: Store, key: str, known: str | None) -> tuple[Outcome, int]:
    """Copy one artefact, if the target has none of its key; gives what came of it, and bytes."""
    listed = source.peek(key)
    if listed is None:
        return "damaged", 0
    if known is not None:
        return ("there" if known == listed.digest else "differing"), 0
    try:
        found = source.place.load(key)
    except CorruptArtifact:
        found = None
    if found is None:
        return "damaged", 0
    made, size = _put(found, target.place), size_bytes(found)
    source.place.let_go(key)
    target.place.let_go(key)
    return ("copied", size) if made.digest == found.digest else ("differing", 0)


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
