"""What has to be done for the checkpoints of a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blip_core.errors import HubAway, PlaceError
from blip_core.prefetching.damage import damage
from blip_core.prefetching.download_folder import DownloadFolder
from blip_core.prefetching.hub import Hub, Snapshot
from blip_core.prefetching.hub_cache import cached_repository
from blip_core.prefetching.lock import LockedCheckpoint, read_lock
from blip_core.prefetching.needs import Need
from blip_core.prefetching.places import Places, free_bytes
from blip_core.prefetching.selecting import RemoteFile

State = Literal["here", "missing", "unknown"]

SPARE_BYTES = 1_000_000_000  # what a disk should have left when all is there
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done for one checkpoint.

    Attributes:
        need: what the recipe uses.
        folder: where it lies, or will.
        state: `here` and as locked, `missing` in whole or part, or `unknown` because the hub is away.
        commit: empty where nobody knows it.
        size: of all that is needed, in bytes; 0 where nobody knows it.
        to_fetch: files that have to be downloaded.
        spare: bytes that conversion needs for a while.
        reason: why the state is unknown.
    """

    need: Need
    folder: Path
    state: State
    commit: str = ""
    size: int = 0
    to_fetch: tuple[RemoteFile, ...] = ()
    spare: int = 0
    snapshot: Snapshot | None = None
    reason: str = ""

    @property
    def fetch_bytes(self) -> int:
        return sum(file.size for file in self.to_fetch)


def make_plans(needs: Sequence[Need], places: Places, hub: Hub, renew: bool = False) -> list[Plan]:
    """Find out what is here and what is missing; downloads nothing but the index of a pipeline.

    A name that is locked keeps its commit; only what is missing or damaged is looked up on the hub.

    Args:
        needs: of a recipe, see `needs_of`.
        places: where checkpoints lie.
        hub: asked for what is not here.
        renew: ask for the newest commit of every name, whatever is locked.

    Raises:
        CheckpointError: The hub has no such repository or revision, or it lacks what is needed.
    """
    locked = read_lock(places.lock)
    plans: list[Plan] = []
    for need in needs:
        away = next((plan.reason for plan in plans if plan.state == "unknown"), "")
        plans.append(_plan(need, places, hub, locked.get(need.id), renew, away))
    return plans


def away_text(plan: Plan, plans: Sequence[Plan]) -> str:
    """What to do when the hub is away."""
    others = [other.need.id for other in plans if other.state == "unknown" and other is not plan]
    more = f" (the same goes for {', '.join(others)})" if others else ""
    return (
        f"{plan.reason}. Run it again when there is a connection; or copy a snapshot of {plan.need.id} to "
        f"{plan.folder}{more} and run it with --offline, which checks and locks what was copied"
    )


def check_disk(plans: Sequence[Plan], places: Places) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        PlaceError: There is too little room.
    """
    needed = sum(plan.fetch_bytes for plan in plans) + max((plan.spare for plan in plans), default=0)
    if not needed:
        return
    free = free_bytes(places.models)
    if needed + SPARE_BYTES > free:
        raise PlaceError(
            f"{needed / _GB:.1f} GB are to be fetched and 1 GB should stay free, but {places.models} has "
            f"{free / _GB:.1f} GB; make room, or name a folder on another disk in FOUNDRY_MODELS"
        )


def _plan(
    need: Need, places: Places, hub: Hub, locked: LockedCheckpoint | None, renew: bool, away: str
) -> Plan:
    """The plan for one checkpoint; `away` says why the hub need not be asked, if it was in vain before."""
    folder = places.folder(need)
    known = locked if locked and locked.is_at(need.revision) and not renew else None
    if known and known.covers(need) and folder.is_dir() and not damage(folder, known):
        return Plan(need, folder, "here", known.commit, known.size)
    commit = known.commit if known else ""
    try:
        if away:
            raise HubAway(away)
        snapshot = hub.snapshot(need, commit or need.revision)
    except HubAway as error:
        cached = plan_from_cache(need, places, commit or need.revision)
        return cached or Plan(need, folder, "unknown", commit, reason=str(error))
    return _missing(need, places, snapshot, locked)


def plan_from_cache(need: Need, places: Places, revision: str) -> Plan | None:
    """The plan for a checkpoint that the hub's own tools have whole, so that nobody need ask the hub."""
    if places.cache is None:
        return None
    snapshot = cached_repository(places.cache, need.id).snapshot(need, revision)
    return _missing(need, places, snapshot, places.locked(need)) if snapshot else None


def _missing(need: Need, places: Places, snapshot: Snapshot, locked: LockedCheckpoint | None) -> Plan:
    folder = places.folder(need)
    download_folder = DownloadFolder(
        folder,
        places.staging(need, snapshot.commit),
        locked.files if locked else {},
        cached_repository(places.cache, need.id) if places.cache else None,
    )
    wanted = snapshot.selection
    missing = {file.name for file in wanted.files if not download_folder.has(file)}
    missing |= {file.name for file in wanted.pickled if not download_folder.has_converted(file)}
    return Plan(
        need,
        folder,
        "missing",
        snapshot.commit,
        sum(file.size for file in wanted.all),
        tuple(file for file in wanted.all if file.name in missing),
        max((file.size for file in wanted.pickled), default=0),
        snapshot,
    )
