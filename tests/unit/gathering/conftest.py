"""A site on this machine that stands for one on the web; names are looked up in the test's own table."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from blip_core.gathering import AllowedHosts, Limits, Web

OPEN = "93.184.216.34"  # any place on the open web; the connection goes to this machine


@dataclass
class Site:
    """What each path answers, by host: bytes of a page, or a function that answers the request itself."""

    server: ThreadingHTTPServer
    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(
        self,
        path: str,
        content: bytes | str,
        kind: str = "text/html",
        host: str = "site.example",
        **headers: str,
    ) -> None:
        body = content.encode() if isinstance(content, str) else content
        told = {"Content-Type": kind, "Content-Length": str(len(body))} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            for name, value in told.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)

        self.pages[host + path] = answer

    def redirect(self, path: str, to: str, host: str = "site.example") -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", to)
            request.send_header("Content-Length", "0")
            request.end_headers()

        self.pages[host + path] = answer

    def status(self, path: str, code: int, host: str = "site.example") -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(code)
            request.send_header("Content-Length", "0")
            request.end_headers()

        self.pages[host + path] = answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        name = self.headers["Host"] + self.path
        self.site.asked.append(name)
        answer: Callable[[BaseHTTPRequestHandler], None] | None = self.site.pages.get(name)
        try:
            if answer is None:
                self.send_error(404)
            else:
                answer(self)
        except OSError:  # who asked has gone
            self.close_connection = True

    def log_message(self, *words: Any) -> None:
        return None


@pytest.fixture
def site() -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    made = Site(server)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"site": made})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


class ToThisMachine(httpcore2.SyncBackend):
    """Whatever address is connected to, the site of the test answers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connected: list[str] = []

    def connect_tcp(self, host: str, port: int, *more: Any, **named: Any) -> httpcore2.NetworkStream:
        self.connected.append(host)
        return super().connect_tcp("127.0.0.1", self._port, *more, **named)


@dataclass
class Clock:
    """Time that passes as it does, and jumps over pauses."""

    jumped: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return time.monotonic() + self.jumped

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.jumped += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(site: Site) -> ToThisMachine:
    return ToThisMachine(site.server.server_port)


@pytest.fixture
def web_of(network: ToThisMachine, clock: Clock) -> Iterator[Callable[..., Web]]:
    """Makes the web of a test: hosts that may be asked, limits, and the addresses of names."""
    made: list[Web] = []

    def make(*hosts: str, names: Mapping[str, list[str]] | None = None, **limits: float) -> Web:
        def lookup(host: str, port: int) -> list[str]:
            return (names or {}).get(host, [OPEN])

        bounds = {"silence_seconds": 1.0, "answer_seconds": 2.0, "pause_seconds": 0.0} | limits
        web = Web(
            AllowedHosts(hosts or ("site.example",)),
            Limits(**bounds),  # type: ignore[arg-type]
            lookup=lookup,
            network=network,
            sleep=clock.sleep,
            clock=clock.now,
        )
        made.append(web)
        return web

    yield make
    for web in made:
        web.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gathered"
