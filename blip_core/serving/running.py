"""A server on an address: it listens once the model is there, and ends with what is under way finished."""

import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from blip_core.errors import PlaceError

WAITING_CONNECTIONS = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address; port 0 takes one that is free.

    Raises:
        PlaceError: The address is taken, or none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=WAITING_CONNECTIONS)
    except OSError as error:
        raise PlaceError(
            f"port {port} on {host} cannot be used: {error.strerror or error}. Choose another with --port or "
            "--host."
        ) from error


def address_of(bound: socket.socket) -> str:
    """Where clients reach it."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: ASGIApp, bound: socket.socket, finish_s: float, on_start: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM comes; then nobody is let in, and what is under way is finished.

    Args:
        app: what answers.
        bound: where it listens.
        finish_s: how long what is under way may take.
        on_start: called before requests are taken.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(finish_s),
    )
    # Once it has ended uvicorn raises the signal again; a server that was told to end has not failed.
    before = {number: signal.signal(number, _ended) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        on_start()
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        bound.close()


def _ended(number: int, frame: object) -> None:
    del number, frame
