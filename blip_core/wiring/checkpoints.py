"""Checkpoints: where they lie, what they are, and whether they are as they were prefetched."""

import hashlib
from functools import cache
from pathlib import Path

from blip_core.errors import CheckpointError, PlaceError
from blip_core.pocket import models_dir
from blip_core.prefetching import (
    LockedCheckpoint,
    check_complete,
    check_gguf,
    check_needed,
    damage,
    need_for,
    read_lock,
    refuse_unfetched,
    used_checkpoints,
)
from blip_core.recipes import Checkpoint, Recipe
from blip_core.wiring.places import workplace

_DIGEST_BLOCK = 1 << 20
_MODEL_FILES = (".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja")


def locate_checkpoint(checkpoint: Checkpoint) -> Path:
    """Folder of a checkpoint on this machine.

    Raises:
        CheckpointError: It is not here, or not what the lock file says.
    """
    from blip_core.modeling.checkpoints import locate

    folder = locate(checkpoint, workplace().models, models_dir())
    _check_lock(checkpoint, folder)
    return folder


def pinned(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint at the commit that is locked here, if it is: what an adapter names as its base."""
    locked = _locked(checkpoint)
    if locked is None or not locked.commit:
        return checkpoint
    return checkpoint.model_copy(update={"revision": locked.commit})


def checkpoint_identity(checkpoint: Checkpoint) -> str:
    """What changes when the weights do: the digest of the files, with name and commit where it is locked."""
    if checkpoint.is_pocket or checkpoint.is_local:
        folder = folder_of(checkpoint)
        return _file_digest(folder / checkpoint.file) if checkpoint.file else folder_digest(folder)
    locked = _locked(checkpoint)
    if locked is not None:
        return f"{checkpoint.id}@{locked.version}"
    revision = checkpoint.revision or "local"
    folder = workplace().models / checkpoint.id
    digest = f"-{folder_digest(folder)}" if folder.is_dir() else ""
    return f"{checkpoint.id}@{revision}{digest}"


def check_checkpoints(recipe: Recipe) -> None:
    """Make sure that every checkpoint of a recipe is on this machine and whole, before any work is begun.

    Raises:
        CheckpointError: One is not; the message says where it was expected, or what it lacks.
    """
    for _, checkpoint in used_checkpoints(recipe):
        check_whole(checkpoint, folder_of(checkpoint))


def folder_of(checkpoint: Checkpoint) -> Path:
    """Folder of a checkpoint, found without loading torch; see `locate_checkpoint`.

    Raises:
        CheckpointError: It is not here, or not what the lock file says.
    """
    if checkpoint.is_pocket:
        folder = models_dir() / checkpoint.id.removeprefix("pocket/")
    else:
        folder = workplace().models / checkpoint.id
    if checkpoint.is_local:
        folder = Path(checkpoint.id).expanduser()
    if not folder.is_dir():
        return locate_checkpoint(checkpoint)  # loads torch to say what is wrong
    _check_lock(checkpoint, folder)
    refuse_unfetched(folder)
    return folder


def check_whole(checkpoint: Checkpoint, folder: Path) -> None:
    """Refuse a folder that lacks a file which its loader will read.

    Raises:
        CheckpointError: It does; the message says where it is to be had.
    """
    need = need_for(checkpoint)
    if not (checkpoint.is_pocket or checkpoint.is_local):
        check_needed(need, folder, opened=_locked(checkpoint) is None)  # else sizes are those of the lock
        return
    remedy = "reinstall blip-foundry" if checkpoint.is_pocket else "copy the whole folder from where it came"
    check_gguf(folder, need.gguf, remedy)
    if need.safetensors:
        check_complete(folder, remedy)


def _check_lock(checkpoint: Checkpoint, folder: Path) -> None:
    """Refuse a hub checkpoint that is not as it was prefetched; one that was never locked passes."""
    locked = _locked(checkpoint)
    if locked is None:
        return
    if not locked.is_at(checkpoint.revision or ""):
        raise CheckpointError(
            f"the recipe asks for {checkpoint.id} at revision {checkpoint.revision}, but {folder} holds "
            f"{locked.commit or 'a copy of unknown revision'}; run `foundry prefetch` with this recipe"
        )
    wrong = damage(folder, locked)
    if wrong:
        raise CheckpointError(
            f"{folder} is not what was prefetched: {wrong[0]}; mend it with `foundry prefetch`"
        )


def _locked(checkpoint: Checkpoint) -> LockedCheckpoint | None:
    if checkpoint.is_pocket or checkpoint.is_local:
        return None
    return read_lock(workplace().lock).get(checkpoint.id)


def folder_digest(folder: Path) -> str:
    """What changes when a model's files do."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _MODEL_FILES and path.is_file())
    parts = [f"{path.relative_to(folder)} {_file_digest(path)}" for path in paths]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    """Digest of a file, read once for as long as its size and time stay.

    Raises:
        PlaceError: It cannot be read.
    """
    try:
        stat = path.stat()
        return _digest_unchanged(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise PlaceError(
            f"{path} cannot be read: {error.strerror}. Give the path of a file that exists."
        ) from error


@cache
def _digest_unchanged(path: Path, size_bytes: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()
