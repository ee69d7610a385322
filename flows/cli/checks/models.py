"""Checkpoints: present, locked, unchanged."""

from collections.abc import Iterable, Iterator

from rich.filesize import decimal

from blip_core.errors import CheckpointError
from blip_core.prefetching import (
    LockedCheckpoint,
    Need,
    check_needed,
    damage,
    needs_of,
    read_lock,
    used_checkpoints,
)
from blip_core.recipes import Checkpoint, Recipe
from blip_core.wiring.checkpoints import check_whole, folder_of
from flows.cli.checks.finding import Case, Finding, State, shortened

_COMMIT_CHARS = 12


def checkpoints(case: Case) -> Iterator[Finding]:
    """The checkpoints of the recipe, or without one all that are locked."""
    try:
        locked = read_lock(case.place.lock)
    except CheckpointError as error:
        yield Finding("checkpoints", "problem", str(error), "see above")
        return
    if case.recipe is None:
        yield from _grouped(_all_locked(case, locked))
        return
    yield from _on_this_machine(case.recipe)
    needs = needs_of(case.recipe)
    absent = [need.id for need in needs if not (case.place.models / need.id).is_dir()]
    if absent:
        said = f"{len(absent)} of {len(needs)} are not in {case.place.models}: {', '.join(absent)}"
        yield Finding("checkpoints", "problem", said, f"foundry prefetch {case.typed}")
    there = [need for need in needs if need.id not in absent]
    yield from _grouped(_needed(case, need, locked.get(need.id)) for need in there)


def _grouped(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What is well by itself, what has one remedy in one line: it is said once."""
    alike: dict[tuple[State, str], list[str]] = {}
    for finding in findings:
        if finding.remedy:
            alike.setdefault((finding.state, finding.remedy), []).append(finding.said)
        else:
            yield finding
    for (state, remedy), said in alike.items():
        yield Finding("checkpoints", state, "; ".join(said), remedy)


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
    wrong = [said for one in here if (said := _harm(one))]
    if wrong:
        remedy = (
            "reinstall blip-foundry for pocket models; mend the path in the recipe or the folder for others"
        )
        yield Finding("checkpoints", "problem", "; ".join(wrong), remedy)
    elif here:
        yield Finding("checkpoints", "ok", f"{len(here)} bundled or local models are here and whole")


def _harm(checkpoint: Checkpoint) -> str:
    """What is wrong with a bundled or local model; empty, nothing is."""
    try:
        check_whole(checkpoint, folder_of(checkpoint))
    except CheckpointError as error:
        return str(error).partition(";")[0]
    return ""


def _needed(case: Case, need: Need, locked: LockedCheckpoint | None) -> Finding:
    folder = case.place.models / need.id
    try:
        check_needed(need, folder, pickled=locked is None, opened=locked is None)
    except CheckpointError as error:
        said = str(error).partition(";")[0]
        return Finding("checkpoints", "problem", said, f"foundry prefetch {case.typed}")
    if locked is None:
        remedy = f"foundry prefetch {case.typed} --offline locks what is here as it is"
        return Finding("checkpoints", "warning", f"{need.id} is here but was never locked", remedy)
    if not locked.covers(need):
        said = f"{need.id} is locked at {locked.commit or 'a copy'}, which is not what the recipe asks for"
        return Finding("checkpoints", "problem", said, f"foundry prefetch {case.typed}")
    return _unchanged(case, need.id, locked)


def _unchanged(case: Case, name: str, locked: LockedCheckpoint) -> Finding:
    wrong = damage(case.place.models / name, locked, case.thorough)
    if wrong:
        said = f"{name}: {shortened(wrong)}"
        return Finding("checkpoints", "problem", said, f"foundry prefetch {case.typed}")
    commit = locked.commit[:_COMMIT_CHARS] or "a copy by hand"
    return Finding("checkpoints", "ok", f"{name} as locked ({commit}, {decimal(locked.size)})")
