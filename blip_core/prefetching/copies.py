"""Checkpoints that were copied by hand, for machines without a hub."""

from collections.abc import Sequence
from pathlib import Path

from blip_core.errors import CheckpointError
from blip_core.prefetching.completeness import check_needed
from blip_core.prefetching.converting import check_index, convert, has_whole_set, in_order
from blip_core.prefetching.damage import damage, lock_file, model_files, refuse_unfetched, sha256_of
from blip_core.prefetching.fetching import fetch_one
from blip_core.prefetching.hub import Watcher
from blip_core.prefetching.lock import LockedCheckpoint
from blip_core.prefetching.needs import Need
from blip_core.prefetching.places import Places, alone
from blip_core.prefetching.plans import plan_from_cache
from blip_core.prefetching.remote_code import refuse_remote_code
from blip_core.prefetching.selecting import INDEX, is_pickled


def lock_copies(needs: Sequence[Need], places: Places, watcher: Watcher) -> list[str]:
    """Lock folders that were copied by hand, on a machine without a hub; converts what is only pickled.

    What was not copied is linked from the cache of the hub's own tools, where they have it.

    Returns:
        Names of the weights that were converted, as `owner/name/file`.

    Raises:
        CheckpointError: A folder is not there, asks for code of its own, lacks a file that a loader reads or
            was never filled.
    """
    converted: list[str] = []
    with alone(places, places.lock.parent):  # the models may lie where only others may write
        for need in needs:
            converted += _take_from_cache(need, places, watcher)
        _refuse_absent(needs, places)
        for need in needs:  # all of them before the first is read, which may take minutes
            _check_copy(need, places.folder(need))
        for need in needs:
            locked = places.locked(need)
            folder = places.folder(need)
            if not (locked and locked.covers(need)) or damage(folder, locked):
                converted += _lock_copy(need, folder, places, watcher)
    return converted


def _take_from_cache(need: Need, places: Places, watcher: Watcher) -> list[str]:
    """Link what nobody copied here and the hub's own tools have, which also know its commit."""
    if places.folder(need).exists():
        return []
    plan = plan_from_cache(need, places, need.revision)
    return fetch_one(plan, places, None, watcher) if plan else []


def _refuse_absent(needs: Sequence[Need], places: Places) -> None:
    """Name all that is to be copied at once: whoever carries disks walks once."""
    absent = [
        f"{need.id} is not at {folder}" for need in needs if not (folder := places.folder(need)).is_dir()
    ]
    if absent:
        what = "a snapshot of it" if len(absent) == 1 else "a snapshot of each"
        raise CheckpointError(f"{'; '.join(absent)}; copy {what} there and run this again")


def _check_copy(need: Need, folder: Path) -> None:
    refuse_unfetched(folder)
    refuse_remote_code(folder)
    check_needed(need, folder, pickled=True)


def _lock_copy(need: Need, folder: Path, places: Places, watcher: Watcher) -> list[str]:
    watcher.say(f"{need.id}: reading {folder}")
    made = _convert_copy(folder, watcher)
    names = model_files(folder)
    for name in names:
        if name.endswith(f".safetensors{INDEX}"):
            check_index(folder, name)
    files = {name: lock_file(folder / name, made.get(name, "")) for name in names}
    places.add_to_lock(need, LockedCheckpoint("", need.revision, files))
    return [f"{need.id}/{name}" for name in made]


def _convert_copy(folder: Path, watcher: Watcher) -> dict[str, str]:
    """Convert pickled weights that have no safetensors beside them; gives their origins by name."""
    found = [path for path in folder.rglob("*") if is_pickled(path.name) and not has_whole_set(path.parent)]
    made: dict[str, str] = {}
    for name in in_order([path.relative_to(folder).as_posix() for path in found]):
        watcher.say(f"converting {name} to safetensors")
        made[convert(folder, name)] = f"{name} {sha256_of(folder / name)}"
    return made
