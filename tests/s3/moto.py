"""moto's server of S3 in a process of its own, and a door before it that can be shut."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

BUCKET = "bucket"
STRICT = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"}
"""Makes a server ask for credentials that it knows as soon as its bucket is there; it knows none."""
_READY_S = 60


def environment(port: int) -> dict[str, str]:
    """What a client needs to know of a server on this machine."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }


@contextmanager
def running(more: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server with an empty bucket; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(
        command, env=os.environ | dict(more or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        urllib.request.urlopen(asked).close()  # noqa: S310
        yield port
    finally:
        server.kill()
        server.wait()


def later(seconds: float, call: Callable[[], None]) -> None:
    """Call something after a while."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("moto's server did not come up")


class Door:
    """Hands connections on to a server while it is open; shut, it breaks them and nobody listens."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._behind = port
        self._listening: socket.socket | None = None
        self._through: list[socket.socket] = []

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._let_in, args=(self._listening,), daemon=True).start()

    def shut(self) -> None:
        listening, self._listening = self._listening, None
        for one in [listening, *self._through]:
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._through = []

    def _let_in(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
            except OSError:
                return
            self._through += [near, far]
            threading.Thread(target=self._hand_on, args=(near, far), daemon=True).start()

    def _hand_on(self, near: socket.socket, far: socket.socket) -> None:
        """Both ways until both have ended; nothing of it stays open then."""
        back = threading.Thread(target=_hand_on, args=(far, near), daemon=True)
        back.start()
        _hand_on(near, far)
        back.join()
        for one in (near, far):
            one.close()
            with suppress(ValueError):  # the door was shut meanwhile
                self._through.remove(one)


def _hand_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while part := one.recv(65536):
            other.sendall(part)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
