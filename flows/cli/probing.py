"""Quick looks at what runs need: each asks one thing, and gives up within seconds."""

from collections.abc import Callable, Iterator, Sequence

from blip_core.connecting import without_password
from blip_core.databases import connected
from blip_core.errors import FoundryError, RecipeError
from blip_core.wiring import MLFLOW_DATABASE, PREFECT_DATABASE, Workplace
from blip_core.wiring.servers import WORK_POOL, answers, ask_prefect, prefect_api, running_servers
from flows.cli.checks.finding import Finding

Probe = Callable[[Workplace], Iterator[Finding]]


def probed(place: Workplace, parts: Sequence[str]) -> list[Finding]:
    """Look at some parts of a place, or at all.

    Raises:
        RecipeError: There is no such part.
    """
    unknown = [part for part in parts if part not in PROBES]
    if unknown:
        raise RecipeError(f"there is no part {unknown[0]}: allowed are {', '.join(PROBES)}")
    return [finding for part in parts or PROBES for finding in _safely(part, place)]


def _safely(part: str, place: Workplace) -> list[Finding]:
    try:
        return list(PROBES[part](place))
    except FoundryError as error:
        return [Finding(part, "problem", str(error))]


def prefect(place: Workplace) -> Iterator[Finding]:
    """Whether the server answers, and reaches its database."""
    api = prefect_api(place)
    ready = answers(f"{api}/ready")
    said = f"{without_password(api)} {'answers' if ready else 'answers, but its database does not'}"
    yield Finding("prefect", "ok" if ready else "problem", said, "" if ready else "look at the database")


def mlflow(place: Workplace) -> Iterator[Finding]:
    """Whether a server answers; without one runs write to the database themselves."""
    server = place.tracking_uri or running_servers(place).get("mlflow", "")
    if not server.startswith("http"):
        yield Finding("mlflow", "problem", "no MLflow server is up", "start `foundry ui`")
        return
    up = answers(f"{server.rstrip('/')}/health")
    said = f"{without_password(server)} {'answers' if up else 'does not answer'}"
    yield Finding(
        "mlflow", "ok" if up else "problem", said, "" if up else "start it; journals keep all until then"
    )


def database(place: Workplace) -> Iterator[Finding]:
    """Whether the databases that were named can be used; files need no server."""
    named = {PREFECT_DATABASE: place.prefect_database, MLFLOW_DATABASE: place.mlflow_database}
    for variable, address in named.items():
        if not address:
            continue
        with connected(address, variable) as connection:
            connection.execute("SELECT 1")
        yield Finding("database", "ok", f"{without_password(address)} answers")
    if not any(named.values()):
        yield Finding("database", "ok", f"files below {place.home}")


def store(place: Workplace) -> Iterator[Finding]:
    """Whether the store can be asked."""
    place.store.has("probe-0")
    yield Finding("store", "ok", f"{without_password(place.store.address)} can be read")


def worker(place: Workplace) -> Iterator[Finding]:
    """Whether a worker of our pool has told lately that it lives."""
    found = ask_prefect(prefect_api(place), f"/work_pools/{WORK_POOL}/workers/filter", {})
    online = [one["name"] for one in found if one["status"] == "ONLINE"]
    if online:
        yield Finding("worker", "ok", f"{', '.join(online)} of the pool {WORK_POOL}")
        return
    yield Finding(
        "worker", "problem", f"no worker of the pool {WORK_POOL} is online", "make worker, or foundry ui"
    )


PROBES: dict[str, Probe] = {
    "prefect": prefect,
    "mlflow": mlflow,
    "database": database,
    "store": store,
    "worker": worker,
}
