"""Store, artefacts, journals and MLflow's database."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rich.filesize import decimal

from blip_core.connecting import without_password
from blip_core.databases import DRIVER, connected, revision, with_driver
from blip_core.errors import CorruptArtifact, PlaceError, TrackingError
from blip_core.store.lineage import size_bytes
from blip_core.store.manifest import MANIFEST, Manifest
from blip_core.store.schema import SCHEMA_NOTE, refuse_later
from blip_core.tracking import sqlite_address
from blip_core.tracking.cursor import delivered_runs, read_cursor
from blip_core.tracking.deleted import deleted_experiments, recorded_experiments
from blip_core.tracking.journal import is_being_written, journals, read_journal
from blip_core.tracking.sqlite import DATABASE, sqlite_path
from blip_core.wiring import MLFLOW_DATABASE, PREFECT_DATABASE
from blip_core.wiring.servers import answers, running_servers
from flows.cli.checks.bucket import artefacts_in_bucket, bucket, left_journals
from flows.cli.checks.finding import Case, Finding, folder_bytes, shortened

FEATURES = "features-"  # how the keys of kept vision features begin


def store(case: Case) -> Iterator[Finding]:
    """Whether finished work can be kept, and how much there is."""
    if case.place.is_shared:
        yield from bucket(case.place.store)
        return
    root = case.place.store.root
    try:
        _probe(root if root.exists() else root.parent)
    except OSError as error:
        said = f"{root} cannot be written ({error.strerror})"
        yield Finding(
            "store", "problem", said, "mend its permissions, or name another folder in FOUNDRY_HOME"
        )
        return
    try:
        refuse_later(case.place.store.place.read_note(SCHEMA_NOTE), str(root))
    except PlaceError as error:
        yield Finding("store", "problem", str(error), "update blip-foundry, or name another store")
        return
    size = folder_bytes(root)
    yield Finding("store", "ok", f"{root} is writable and holds {decimal(size)}")


def _probe(folder: Path) -> None:
    probe = folder / ".doctor"
    probe.touch()
    probe.unlink()


def artefacts(case: Case) -> Iterator[Finding]:
    """Damaged and unfinished work."""
    if case.place.is_shared:
        yield from artefacts_in_bucket(case.place.store, case.thorough)
        return
    root = case.place.store.root
    folders = _folders(root / "artifacts")
    complete = [folder for folder in folders if (folder / MANIFEST).exists()]
    damaged = [damage for folder in complete if (damage := _damage(folder, case.thorough))]
    if damaged:
        remedy = "nothing by hand: the next run that needs one makes it again; check the disk"
        yield Finding("artefacts", "problem", f"{len(damaged)} damaged: {shortened(damaged)}", remedy)
    unfinished = len(folders) - len(complete) + len(_folders(root / "staging"))
    if unfinished:
        said = f"{unfinished} unfinished, of a run that goes on or was killed"
        yield Finding("artefacts", "warning", said, "nothing by hand: the next run removes it")
    aside = _folders(root / "quarantine")
    if aside:
        said = f"{len(aside)} damaged ones were set aside in {root / 'quarantine'}"
        yield Finding("artefacts", "warning", said, "look at them if you wish, then remove that folder")
    if not damaged and not unfinished:
        read = "every byte read" if case.thorough else "by their sizes"
        yield Finding("artefacts", "ok", f"{len(complete)} whole ({read})")


def kept_features(case: Case) -> Iterator[Finding]:
    """What the kept outputs of vision towers take: they only grow, and can be computed anew at any time."""
    store = case.place.store
    blocks = [block for key in store.keys(FEATURES) if (block := store.peek(key))]
    if not blocks:
        yield Finding("kept features", "ok", "none yet")
        return
    size = decimal(sum(size_bytes(block) for block in blocks))
    said = f"of {sum(block.rows for block in blocks):,} pictures, {size}; `make clean-features` forgets them"
    yield Finding("kept features", "ok", said)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _damage(folder: Path, thorough: bool) -> str:
    """Name of an artefact and what is wrong with it; empty where nothing is."""
    try:
        manifest = Manifest.read(folder)
        if thorough:
            manifest.check(folder)
        return "" if manifest.sizes_agree(folder) else f"{folder.name} lacks a file, or part of one"
    except CorruptArtifact as error:
        return f"{folder.name} ({error})"


def waiting_journals(case: Case) -> Iterator[Finding]:
    """Entries that MLflow has not received yet, and journals that cannot be read."""
    folder, uri = case.place.journal, _uri(case)
    waiting, damaged = [], []
    for path in journals(folder, delivered_runs(folder, uri)):
        try:
            waiting.append(_waiting(path, uri))
        except TrackingError as error:
            damaged.append(str(error))
    waiting = [count for count in waiting if count]
    if damaged:
        yield Finding(
            "journals", "problem", shortened(damaged), "move it away; its run is not sent to MLflow"
        )
    if waiting:
        said = f"{sum(waiting)} entries of {len(waiting)} runs wait for MLflow"
        yield Finding(
            "journals", "warning", said, "nothing by hand: the next run sends them, if MLflow answers"
        )
    yield from left_journals(case.place)
    if not damaged and not waiting:
        yield Finding("journals", "ok", f"{len(journals(folder))} runs, nothing waits for MLflow")


def _waiting(path: Path, uri: str) -> int:
    if is_being_written(path):
        return 0
    return max(0, len(read_journal(path)) - read_cursor(path, uri).delivered)


def _uri(case: Case) -> str:
    place = case.place
    named = with_driver(place.mlflow_database, DRIVER) if place.mlflow_database else ""
    return place.tracking_uri or named or sqlite_address(place.mlflow.resolve() / DATABASE)


def mlflow(case: Case) -> Iterator[Finding]:
    """MLflow's server, or its database on this machine."""
    uri = case.place.tracking_uri
    if uri.startswith(("http://", "https://")):
        server = _mlflow_server(uri)
        yield server
        if server.state == "ok":
            yield from _deleted(case)
        return
    if uri and not sqlite_path(uri):
        yield Finding("MLflow", "ok", f"{without_password(uri)} (not looked into)")
        return
    if not uri and case.place.mlflow_database:
        yield from _in_postgres("MLflow", case.place.mlflow_database, MLFLOW_DATABASE)
        return
    database = sqlite_path(uri) or case.place.mlflow / DATABASE
    if not database.exists():
        yield Finding("MLflow", "ok", "no database yet; the first run makes it")
        return
    reason = _database_damage(database)
    if reason:
        remedy = "move the file away: a new one is made, and what the journals still hold is sent to it"
        yield Finding("MLflow", "problem", f"{database} is damaged ({reason})", remedy)
        return
    yield from _deleted(case)
    served = running_servers(case.place).get("mlflow")
    where = f"served at {served}" if served else "not served now; `foundry ui` does"
    yield Finding("MLflow", "ok", f"database {database}, {where}")


def prefect_records(case: Case) -> Iterator[Finding]:
    """Prefect's database, where it is not a file of its own."""
    if case.place.prefect_database:
        yield from _in_postgres("Prefect", case.place.prefect_database, PREFECT_DATABASE)


def _in_postgres(name: str, address: str, variable: str) -> Iterator[Finding]:
    with connected(address, variable) as connection:
        tables = f"tables of revision {found}" if (found := revision(connection)) else "no tables yet"
    yield Finding(name, "ok", f"{without_password(address)} answers: {tables}")


def _deleted(case: Case) -> Iterator[Finding]:
    """Experiments of our runs that somebody deleted: later runs are recorded beside them."""
    wanted = recorded_experiments(case.place.journal) | ({case.recipe.experiment} if case.recipe else set())
    uri = _uri(case)
    for name, number in deleted_experiments(uri).items():
        if name in wanted:
            command = f"mlflow experiments restore --experiment-id {number}"
            yield Finding(
                "MLflow",
                "warning",
                f"the experiment {name} was deleted there; runs are recorded in {name}-2, or the next number",
                f"restore it with MLFLOW_TRACKING_URI={shlex.quote(without_password(uri))} {command}",
            )


def _mlflow_server(uri: str) -> Finding:
    shown = without_password(uri)
    if answers(f"{uri.rstrip('/')}/health"):
        return Finding("MLflow", "ok", f"{shown} answers")
    remedy = "start it, or unset MLFLOW_TRACKING_URI; runs go on meanwhile, and what it missed is sent later"
    return Finding("MLflow", "warning", f"{shown} does not answer", remedy)


def _database_damage(database: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if said == "ok" else said
