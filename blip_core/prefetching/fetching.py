"""From plans to folders that are complete, safe and locked.

A checkpoint grows in `MODELS/.prefetch/OWNER--NAME/COMMIT/` and moves to `MODELS/OWNER/NAME` when all of it
is there, so that a folder that a run finds was finished. A file in the making bears `.part`; the next call
goes on with it.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from blip_core.errors import CheckpointError, HubAway
from blip_core.prefetching.completeness import Listing, in_words, lacking
from blip_core.prefetching.damage import lock_file, model_files
from blip_core.prefetching.download_folder import DownloadFolder, origin
from blip_core.prefetching.hub import Hub, Watcher
from blip_core.prefetching.hub_cache import cached_repository
from blip_core.prefetching.lock import LockedCheckpoint, LockedFile
from blip_core.prefetching.places import Places, alone
from blip_core.prefetching.plans import Plan, away_text, check_disk
from blip_core.prefetching.remote_code import refuse_remote_code
from blip_core.prefetching.selecting import PICKLED, SAFETENSORS, RemoteFile, Selection, converted_name

_WEIGHTS = (".safetensors", ".bin", ".gguf")


def fetch(plans: Sequence[Plan], places: Places, hub: Hub, watcher: Watcher) -> list[str]:
    """Do what the plans say; a checkpoint that is finished stays, whatever happens to the next.

    Returns:
        Names of the weights that were converted, as `owner/name/file`.

    Raises:
        HubAway: The hub cannot be reached, or broke off.
        PlaceError: The disk is too small, or cannot be written.
        CheckpointError: A checkpoint asks for code of its own, or cannot be had or converted.
        FoundryError: A file is not what the hub promised.
    """
    unknown = [plan for plan in plans if plan.state == "unknown"]
    if unknown:
        raise HubAway(away_text(unknown[0], plans))
    check_disk(plans, places)
    converted: list[str] = []
    with alone(places, places.growing):
        for plan in plans:
            if plan.state == "missing":
                converted += fetch_one(plan, places, hub, watcher)
    return converted


def fetch_one(plan: Plan, places: Places, hub: Hub | None, watcher: Watcher) -> list[str]:
    """Do what one plan says; without a hub where nothing is to be downloaded."""
    if plan.snapshot is None:
        raise ValueError(f"{plan.need.id} has no snapshot to fetch")
    wanted, staging = plan.snapshot.selection, places.staging(plan.need, plan.commit)
    before = places.locked(plan.need)
    cached = cached_repository(places.cache, plan.need.id) if places.cache else None
    download_folder = DownloadFolder(plan.folder, staging, before.files if before else {}, cached)
    origins = _origins(wanted)
    _refuse_strangers(plan, {*origins, *download_folder.held})
    watcher.say(f"{plan.need.id} at {plan.commit}")
    if linked := download_folder.link_cached(wanted):
        watcher.say(f"  {linked} files are linked from {places.cache}")
    _download(plan, download_folder, hub, watcher)
    converted = download_folder.convert(wanted.pickled, watcher)
    kept = before.files if before and before.commit == plan.commit else {}  # what other recipes use of it
    download_folder.move_in(origins, set(download_folder.held) - set(kept) - set(origins))
    files = {**kept, **_described(plan.folder, wanted, origins)}
    places.add_to_lock(plan.need, LockedCheckpoint(plan.commit, plan.need.revision, files))
    shutil.rmtree(staging.parent)
    return [f"{plan.need.id}/{name}" for name in converted]


def _download(plan: Plan, download_folder: DownloadFolder, hub: Hub | None, watcher: Watcher) -> None:
    """Configs first: what asks for code of its own or is not whole is refused before gigabytes come."""
    download_folder.staging.mkdir(parents=True, exist_ok=True)
    weights = [file for file in plan.to_fetch if file.name.endswith(_WEIGHTS)]
    _bring([file for file in plan.to_fetch if file not in weights], plan, download_folder, hub, watcher)
    refuse_remote_code(download_folder.staging)
    _refuse_incomplete(plan, download_folder)
    _bring(weights, plan, download_folder, hub, watcher)


def _bring(
    files: Sequence[RemoteFile],
    plan: Plan,
    download_folder: DownloadFolder,
    hub: Hub | None,
    watcher: Watcher,
) -> None:
    for file in files:
        if hub is None:
            raise ValueError(f"{plan.need.id} lacks {file.name}, and there is no hub to fetch it from")
        download_folder.download(plan.need.id, plan.commit, file, hub, watcher)


def _refuse_incomplete(plan: Plan, download_folder: DownloadFolder) -> None:
    """Refuse a repository that never was whole, as some hold weights alone."""
    if plan.snapshot is None or not plan.need.safetensors:
        return
    wanted = plan.snapshot.selection
    names = {file.name for file in wanted.all} | {converted_name(file.name) for file in wanted.pickled}
    missing = lacking(Listing(names, download_folder.text, (PICKLED, SAFETENSORS)))
    if missing:
        raise CheckpointError(
            f"{plan.need.id} lacks {in_words(missing)} on the hub, so that it cannot be run alone; choose a "
            f"repository that has it, or put it beside the rest in {plan.folder} and lock that with --offline"
        )


def _origins(wanted: Selection) -> dict[str, str]:
    """Names of a finished folder's files, and what each is converted from; empty where it is not."""
    plain = {file.name: "" for file in wanted.files}
    return plain | {converted_name(file.name): origin(file) for file in wanted.pickled}


def _described(folder: Path, wanted: Selection, origins: Mapping[str, str]) -> dict[str, LockedFile]:
    known = {file.name: file.sha256 for file in wanted.files}
    return {
        name: _locked(folder / name, known.get(name, ""), made_from) for name, made_from in origins.items()
    }


def _refuse_strangers(plan: Plan, names: set[str]) -> None:
    """Files that somebody put beside a checkpoint may be loaded instead of it."""
    strangers = sorted(set(model_files(plan.folder)) - names)
    if strangers:
        raise CheckpointError(
            f"{plan.folder} holds {strangers[0]}, which is not part of {plan.need.id} as it is used here: "
            "move it away, or lock the folder as it is with --offline"
        )


def _locked(path: Path, sha256: str, made_from: str) -> LockedFile:
    """A file as the lock has it; one whose sha256 was compared with the hub's is not read again."""
    if not sha256:
        return lock_file(path, made_from)
    stat = path.stat()
    return LockedFile(stat.st_size, sha256, stat.st_mtime_ns, made_from)
