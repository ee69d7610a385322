"""`foundry prefetch`: make a machine ready, so that runs need no network."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blip_core import strict_json
from blip_core.prefetching import Need, needs_of, read_lock
from blip_core.recipes import DEFAULT_PROFILE, load_recipe
from flows.cli.commands.options import AsJson, DryRun, Overrides, ProfileName, RecipeName, only_json

if TYPE_CHECKING:
    from rich.console import Console

    from blip_core.prefetching.places import Places
    from blip_core.prefetching.plans import Plan

INTERRUPTED = 130  # what shells give for Ctrl-C
_COMMIT_CHARS = 12

Renew = Annotated[
    bool, typer.Option("--renew", help="Take the newest commits instead of those that are locked.")
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Without the hub: check and lock folders that were copied by hand."),
]


def prefetch(
    recipe: RecipeName,
    profile: ProfileName = DEFAULT_PROFILE,
    overrides: Overrides = None,
    renew: Renew = False,
    offline: Offline = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Download the checkpoints of a recipe once, as safetensors, and lock their commits and digests.

    Runs work offline from then on. A second call does nothing; after an interruption it continues.

    Example: foundry prefetch gallery-vqa --profile workstation --dry-run
    """
    needs = needs_of(load_recipe(recipe, profile, overrides or []))
    if not as_json:
        _prefetch(needs, renew, offline, dry_run, sys.stdout)
        return
    with only_json() as output:
        output.write(strict_json.dumps(_prefetch(needs, renew, offline, dry_run, sys.stderr)) + "\n")


def _prefetch(
    needs: Sequence[Need], renew: bool, offline: bool, dry_run: bool, stream: Any
) -> dict[str, Any]:
    from rich.console import Console

    from blip_core.wiring import go_online, hub_cache, workplace

    place = workplace()
    go_online(place)
    from blip_core.prefetching.copies import lock_copies
    from blip_core.prefetching.places import Places
    from flows.cli.downloads import Downloads

    console = Console(file=stream, highlight=False, soft_wrap=True)
    places = Places(place.models, place.lock, hub_cache())
    converted: list[str] = []
    plans: list[Plan] = []
    try:
        if not needs:
            console.print(
                "Nothing to fetch: this recipe uses bundled models and folders of this machine only."
            )
        elif offline and dry_run:
            _show_copies(console, needs, places)
        elif offline:
            with Downloads(console) as watcher:
                converted = lock_copies(needs, places, watcher)
        else:
            plans, converted = _fetch(needs, places, renew, dry_run, console)
    except KeyboardInterrupt:
        console.print("Interrupted. Finished files are kept; run it again to continue where it stopped.")
        raise typer.Exit(INTERRUPTED) from None
    if needs and not dry_run:
        _show_locked(console, needs, places, {plan.need.id for plan in plans if plan.state == "here"})
    return _told(needs, places, plans, converted, dry_run)


def _fetch(
    needs: Sequence[Need], places: "Places", renew: bool, dry_run: bool, console: "Console"
) -> tuple[list["Plan"], list[str]]:
    from blip_core.prefetching.fetching import fetch
    from blip_core.prefetching.hub import Hub
    from blip_core.prefetching.plans import make_plans
    from flows.cli.downloads import Downloads

    hub = Hub()
    console.print(f"Hub: {hub.endpoint} (not asked for checkpoints that are here and unchanged)", style="dim")
    plans = make_plans(needs, places, hub, renew)
    if dry_run:
        _show_plans(console, plans, places)
        return plans, []
    with Downloads(console) as watcher:
        return plans, fetch(plans, places, hub, watcher)


def _show_plans(console: "Console", plans: Sequence["Plan"], places: "Places") -> None:
    from rich.filesize import decimal

    from blip_core.prefetching.places import free_bytes

    for plan in plans:
        commit = plan.commit[:_COMMIT_CHARS] or "commit unknown"
        console.print(f"{plan.need.id}  {commit}  {_plan_words(plan)}")
        console.print(f"    for {', '.join(plan.need.fields)}; in {plan.folder}", style="dim")
    total = sum(plan.fetch_bytes for plan in plans)
    reasons = [plan.reason for plan in plans if plan.state == "unknown"]
    known = f"unknown, since {reasons[0]}" if reasons else decimal(total)
    console.print(f"to fetch: {known}; free: {decimal(free_bytes(places.models))}")


def _show_copies(console: "Console", needs: Sequence[Need], places: "Places") -> None:
    from blip_core.prefetching.plans import plan_from_cache

    locked = read_lock(places.lock)
    for need in needs:
        cached = plan_from_cache(need, places, need.revision) is not None
        absent = "is in the cache of the hub's own tools" if cached else "is missing"
        there = "is there" if places.folder(need).is_dir() else absent
        state = "is locked already" if need.id in locked else there
        console.print(f"{need.id}  {places.folder(need)} {state}")


def _plan_words(plan: "Plan") -> str:
    from rich.filesize import decimal

    if plan.state == "here":
        return f"is here, {decimal(plan.size)}"
    if plan.state == "unknown":
        return "size unknown"
    if not plan.to_fetch:
        return f"is in the cache of the hub's own tools, {decimal(plan.size)} to link"
    pickled = plan.snapshot.selection.pickled if plan.snapshot else ()
    note = "; pickled, is converted to safetensors" if pickled else ""
    return f"to fetch {decimal(plan.fetch_bytes)} of {decimal(plan.size)}{note}"


def _show_locked(console: "Console", needs: Sequence[Need], places: "Places", untouched: set[str]) -> None:
    from rich.filesize import decimal

    locked = read_lock(places.lock)
    for need in needs:
        one = locked[need.id]
        note = ", was here" if need.id in untouched else ""
        console.print(f"{need.id}  {one.commit[:_COMMIT_CHARS] or 'a copy'}  {decimal(one.size)}{note}")
    console.print(f"locked in {places.lock}; runs need no network for these", style="dim")


def _told(
    needs: Sequence[Need], places: "Places", plans: Sequence["Plan"], converted: Sequence[str], dry_run: bool
) -> dict[str, Any]:
    from blip_core.prefetching.places import free_bytes

    locked = read_lock(places.lock)
    by_id = {plan.need.id: plan for plan in plans}
    return {
        "dry_run": dry_run,
        "lock": str(places.lock),
        "free_bytes": free_bytes(places.models),
        "checkpoints": [
            {
                "id": need.id,
                "fields": list(need.fields),
                "folder": str(places.folder(need)),
                "locked": need.id in locked,
                "commit": locked[need.id].commit if need.id in locked else "",
                "digest": locked[need.id].digest if need.id in locked else "",
                "bytes": locked[need.id].size if need.id in locked else 0,
                "converted": [name for name in converted if name.startswith(f"{need.id}/")],
                **(_plan_told(by_id[need.id]) if need.id in by_id else {}),
            }
            for need in needs
        ],
    }


def _plan_told(plan: "Plan") -> dict[str, Any]:
    return {
        "was": plan.state,
        "hub_commit": plan.commit,
        "fetch_bytes": plan.fetch_bytes,
        "reason": plan.reason,
    }
