"""Checkpoints that were copied by hand, for machines without a hub."""

from collections.abc import Sequence
from pathlib import Path

from blip_core.errors import CheckpointError
from blip_core.prefetching.converting import convert, has_whole_set, in_order
from blip_core.prefetching.damage import damage, lock_file, model_files, refuse_unfetched, sha256_of
from blip_core.prefetching.hub import Watcher
from blip_core.prefetching.lock import LockedCheckpoint
from blip_core.prefetching.needs import Need
from blip_core.prefetching.places import Places, alone
from blip_core.prefetching.remote_code import refuse_remote_code
from blip_core.prefetching.selecting import is_pickled


def lock_copies(needs: Sequence[Need], places: Places, watcher: Watcher) -> list[str]:
    """Lock folders that were copied by hand, on a machine without a hub; converts what is only pickled.

    Returns:
        Names of the weights that were converted, as `owner/name/file`.

    Raises:
        CheckpointError: A folder is not there, asks for code of its own, lacks weights or was never filled.
    """
    converted: list[str] = []
    with alone(places, places.lock.parent):  # the models may lie where only others may write
        for need in needs:
            locked = places.locked(need)
            folder = places.folder(need)
            if locked and locked.covers(need) and folder.is_dir() and not damage(folder, locked):
                continue
            converted += _lock_copy(need, folder, places, watcher)
    return converted


def _lock_copy(need: Need, folder: Path, places: Places, watcher: Watcher) -> list[str]:
    if not folder.is_dir():
        raise CheckpointError(f"{need.id} is not at {folder}; copy a snapshot of it there and run this again")
    refuse_unfetched(folder)
    refuse_remote_code(folder)
    watcher.say(f"{need.id}: reading {folder}")
    made = _convert_copy(folder, watcher)
    files = {name: lock_file(folder / name, made.get(name, "")) for name in model_files(folder)}
    locked = LockedCheckpoint("", need.revision, files)
    if not locked.covers(need):
        wanted = ", ".join(need.gguf) or "weights as safetensors or pytorch_model.bin"
        raise CheckpointError(f"{folder} lacks {wanted}; copy the whole snapshot of {need.id}")
    places.add_to_lock(need, locked)
    return [f"{need.id}/{name}" for name in made]


def _convert_copy(folder: Path, watcher: Watcher) -> dict[str, str]:
    """Convert pickled weights that have no safetensors beside them; gives their origins by name."""
    found = [path for path in folder.rglob("*") if is_pickled(path.name) and not has_whole_set(path.parent)]
    made: dict[str, str] = {}
    for name in in_order([path.relative_to(folder).as_posix() for path in found]):
        watcher.say(f"converting {name} to safetensors")
        made[convert(folder, name)] = f"{name} {sha256_of(folder / name)}"
    return made
