"""Checkpoints: present, locked, unchanged."""

from collections.abc import Iterator
from pathlib import Path

from rich.filesize import decimal

from blip_core.errors import CheckpointError
from blip_core.pocket import models_dir
from blip_core.prefetching import LockedCheckpoint, Need, damage, needs_of, read_lock, used_checkpoints
from blip_core.recipes import Checkpoint, Recipe
from flows.cli.checks.finding import Case, Finding, shortened

_COMMIT_CHARS = 12


def checkpoints(case: Case) -> Iterator[Finding]:
    """The checkpoints of the recipe, or without one all that are locked."""
    try:
        locked = read_lock(case.place.lock)
    except CheckpointError as error:
        yield Finding("checkpoints", "problem", str(error), "see above")
        return
    if case.recipe is None:
        yield from _all_locked(case, locked)
        return
    yield from _on_this_machine(case.recipe)
    for need in needs_of(case.recipe):
        yield _needed(case, need, locked.get(need.id))


def _all_locked(case: Case, locked: dict[str, LockedCheckpoint]) -> Iterator[Finding]:
    for name, one in locked.items():
        yield _unchanged(case, name, one)
    if not locked:
        yield Finding("checkpoints", "ok", "no checkpoint is locked; the pocket profile needs none")
    for left in sorted((case.place.models / ".prefetch").glob("*--*")):
        said = f"the download of {left.name.replace('--', '/', 1)} is unfinished"
        yield Finding(
            "checkpoints",
            "warning",
            said,
            "run `foundry prefetch` again: it continues where it stopped",
        )


def _on_this_machine(recipe: Recipe) -> Iterator[Finding]:
    used = {checkpoint.id: checkpoint for _, checkpoint in used_checkpoints(recipe)}
    here = [one for one in used.values() if one.is_pocket or one.is_local]
    missing = [one.id for one in here if not _is_there(one)]
    if missing:
        remedy = "reinstall blip-foundry for pocket models; mend the path in the recipe for others"
        yield Finding("checkpoints", "problem", f"not on this machine: {shortened(missing)}", remedy)
    elif here:
        yield Finding("checkpoints", "ok", f"{len(here)} bundled or local models are here")


def _is_there(checkpoint: Checkpoint) -> bool:
    if checkpoint.is_pocket:
        folder = models_dir() / checkpoint.id.removeprefix("pocket/")
    else:
        folder = Path(checkpoint.id).expanduser()
    return (folder / checkpoint.file).is_file() if checkpoint.file else folder.is_dir()


def _needed(case: Case, need: Need, locked: LockedCheckpoint | None) -> Finding:
    folder = case.place.models / need.id
    if not folder.is_dir():
        return Finding(
            "checkpoints", "problem", f"{need.id} is not at {folder}", f"foundry prefetch {case.typed}"
        )
    if locked is None:
        remedy = f"foundry prefetch {case.typed} --offline locks it as it is"
        return Finding("checkpoints", "warning", f"{need.id} is here but was never locked", remedy)
    if not locked.covers(need):
        said = f"{need.id} is locked at {locked.commit or 'a copy'}, which is not what the recipe asks for"
        return Finding("checkpoints", "problem", said, f"foundry prefetch {case.typed}")
    return _unchanged(case, need.id, locked)


def _unchanged(case: Case, name: str, locked: LockedCheckpoint) -> Finding:
    wrong = damage(case.place.models / name, locked, case.thorough)
    if wrong:
        return Finding(
            "checkpoints", "problem", f"{name}: {shortened(wrong)}", f"foundry prefetch {case.typed}"
        )
    commit = locked.commit[:_COMMIT_CHARS] or "a copy by hand"
    return Finding("checkpoints", "ok", f"{name} as locked ({commit}, {decimal(locked.size)})")
