"""A store in a bucket: whether its server can be relied on, and what it holds."""

from collections.abc import Iterator

from blip_core.reporting.lineage_tables import size_words
from blip_core.store import Store
from blip_core.store.lineage import size_bytes
from blip_core.store.places.racing import RACERS, race
from blip_core.store.places.s3 import S3Place
from blip_core.store.schema import SCHEMA_NOTE, refuse_later
from blip_core.wiring import Workplace
from flows.cli.checks.finding import Finding, folder_bytes, shortened
from flows.results.sharing import dead_owners

USE = (
    "use a server that keeps If-None-Match and If-Match of a PUT, such as Amazon S3; s3rver and "
    "`rclone serve s3` ignore them"
)


def bucket(store: Store) -> Iterator[Finding]:
    """Whether the server answers, and lets one writer of several win."""
    if not isinstance(store.place, S3Place):
        return
    refuse_later(store.place.read_note(SCHEMA_NOTE), store.address)
    won = race(store.place.objects)
    if won != 1:
        said = (
            f"{store.address}: {won} of {RACERS} writers were each told that theirs is the work that counts"
        )
        yield Finding("store", "problem", said, USE)
        return
    kept = size_words(folder_bytes(store.root)) if store.root.exists() else "nothing yet"
    said = f"{store.address} answers, and one of {RACERS} writers wins; its cache {store.root} holds {kept}"
    yield Finding("store", "ok", said)


def left_journals(place: Workplace) -> Iterator[Finding]:
    """Journals that MLflow has not whole, of runs that are over or whose machine died."""
    left = dead_owners(place)
    if left:
        said = f"{len(left)} runs that are over wait in {place.store.address} for MLflow"
        remedy = "nothing by hand: the next run on any machine sends them, if MLflow answers"
        yield Finding("journals", "warning", said, remedy)


def artefacts_in_bucket(store: Store, thorough: bool) -> Iterator[Finding]:
    """Damaged and unfinished work in a bucket."""
    whole = {one.key: one for one in store.artifacts()}
    damaged = [key for key in store.keys("") if key not in whole or (thorough and not store.find(key))]
    if damaged:
        remedy = "nothing by hand: the next run that needs one makes it again"
        yield Finding("artefacts", "problem", f"{len(damaged)} damaged: {shortened(damaged)}", remedy)
    aside = [one.name for one in store.quarantined()]
    if aside:
        said = f"{len(aside)} damaged ones were set aside in {store.address}/quarantine"
        remedy = "look at them if you wish, then `foundry store prune --rule quarantine --apply`"
        yield Finding("artefacts", "warning", said, remedy)
    if not damaged:
        size = size_words(sum(map(size_bytes, whole.values())))
        read = "every byte read" if thorough else "by their sizes"
        yield Finding("artefacts", "ok", f"{len(whole)} whole ({read}), {size}")
