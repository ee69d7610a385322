"""Which servers of this workplace are up: `foundry ui` leaves a note, a run reads it."""

import base64
import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from blip_core import strict_json
from blip_core.connecting import without_password
from blip_core.errors import PlaceError

if TYPE_CHECKING:
    from blip_core.wiring import Workplace

NOTE = "servers.json"
PROBE_SECONDS = 2.0
PREFECT_PORT = 4200
MLFLOW_PORT = 5000
HOST = "127.0.0.1"
WORK_POOL = "foundry"

_HEALTH = {"prefect": "/api/health", "mlflow": "/health"}
_USUAL = {"prefect": f"http://{HOST}:{PREFECT_PORT}", "mlflow": f"http://{HOST}:{MLFLOW_PORT}"}


def note_servers(place: "Workplace", prefect: str, mlflow: str) -> None:
    """Leave the addresses of both servers for the runs of this workplace."""
    (place.home / NOTE).write_text(
        strict_json.dumps({"prefect": prefect, "mlflow": mlflow}), encoding="utf-8"
    )


def forget_servers(place: "Workplace") -> None:
    (place.home / NOTE).unlink(missing_ok=True)


def running_servers(place: "Workplace") -> dict[str, str]:
    """Addresses of the servers that were noted and answer; a note that a crash left behind gives none."""
    try:
        noted: dict[str, str] = strict_json.loads((place.home / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {name: address for name, address in noted.items() if answers(f"{address}{_HEALTH.get(name, '')}")}


def prefect_api(place: "Workplace") -> str:
    """API address of the Prefect server that is up: what `PREFECT_API_URL` names, else that of `foundry ui`.

    Raises:
        PlaceError: There is none.
    """
    from blip_core.errors import PlaceError
    from blip_core.wiring import prefect_api_url

    named = prefect_api_url().rstrip("/")
    if named and answers(f"{named}/health"):
        return named
    if named:
        shown = without_password(named)
        raise PlaceError(f"PREFECT_API_URL={shown} does not answer; start that server, or unset the variable")
    served = running_servers(place).get("prefect")
    if not served:
        raise PlaceError("no Prefect server is up; start `foundry ui`, or name one in PREFECT_API_URL")
    return f"{served}/api"


def page_of(place: "Workplace", server: str) -> str:
    """Address of a page: another machine's that the environment names, else where `foundry ui` serves it."""
    return _elsewhere(place, server) or running_servers(place).get(server) or _USUAL[server]


def pages_elsewhere(place: "Workplace") -> str:
    """The pages that are served on other machines, as text for people; empty, there are none."""
    shown = {"Prefect": _elsewhere(place, "prefect"), "MLflow": _elsewhere(place, "mlflow")}
    return ", ".join(f"{page} ({name})" for name, page in shown.items() if page)


def _elsewhere(place: "Workplace", server: str) -> str:
    """Address of a server of another machine; one of this machine may end with the run that started it."""
    from blip_core.wiring import prefect_api_url

    named = place.tracking_uri if server == "mlflow" else prefect_api_url()
    page = without_password(named).rstrip("/").removesuffix("/api")
    return page if page.startswith(("http://", "https://")) and not _is_this_machine(page) else ""


def answers(url: str) -> bool:
    """Whether a server answers at an address within `PROBE_SECONDS`."""
    try:
        with _opener(url).open(url, timeout=PROBE_SECONDS) as response:
            return bool(response.status < 400)
    except (URLError, OSError, ValueError):
        return False


def ask_prefect(api: str, path: str, body: object) -> Any:
    """What a Prefect server says to a question.

    Raises:
        PlaceError: It does not answer, or refuses.
    """
    login = os.environ.get("PREFECT_API_AUTH_STRING", "")
    headers = {"Content-Type": "application/json"}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    request = Request(f"{api}{path}", strict_json.dumps(body).encode(), headers)  # noqa: S310 - as it was named
    try:
        with _opener(api).open(request, timeout=PROBE_SECONDS) as response:
            return strict_json.loads(response.read())
    except (URLError, OSError, ValueError) as error:
        raise PlaceError(
            f"Prefect at {without_password(api)} does not say what it was asked: {error}"
        ) from error


def _opener(url: str) -> OpenerDirector:
    """Proxies of the environment are asked for other machines alone."""
    return build_opener(*([ProxyHandler({})] if _is_this_machine(url) else []))


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_port(port: int, option: str) -> None:
    """Refuse a port that is taken.

    Raises:
        PlaceError: Somebody listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PlaceError(
                f"port {port} on {HOST} cannot be used: {error.strerror}. Choose another with {option}."
            ) from error
