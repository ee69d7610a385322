"""One address at a time is asked for, politely and within limits; what comes back is not trusted.

Redirects are followed by hand, so that every step is checked like the first; names are resolved here, and the
connection goes to the very address that was checked, so that a name which changes meanwhile gains nothing.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urljoin

import httpcore2

from blip_core.gathering.hosts import Address, AllowedHosts, Lookup, address_of, looked_up, open_addresses
from blip_core.gathering.refused import Refused

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5  # as RFC 9309 asks of those who read robots.txt
ASK_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
ROBOT = "blip-foundry"  # by this name sites may speak to it in robots.txt

Sleep = Callable[[float], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken at most.

    Attributes:
        page_bytes: of one page.
        picture_bytes: of one picture.
        total_bytes: of all that comes over the line in one run.
        answer_seconds: for one answer from its first byte to its last.
        silence_seconds: between two parts of an answer.
        pages: that are read.
        pictures: that are kept.
        pause_seconds: between two requests to one site, where its robots.txt asks for no longer one.
        longest_pause_seconds: a site that asks for a longer pause is not visited.
    """

    page_bytes: int = 4_000_000
    picture_bytes: int = 20_000_000
    total_bytes: int = 2_000_000_000
    answer_seconds: float = 60.0
    silence_seconds: float = 15.0
    pages: int = 500
    pictures: int = 10_000
    pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0


class Answer(NamedTuple):
    """What a site gave.

    Attributes:
        address: that gave it, after redirects.
        kind: its media type, in lower case and without parameters.
        charset: as the site says it; empty where it does not.
        headers: further ones, by name in lower case.
        content: the bytes.
    """

    address: Address
    kind: str
    charset: str
    headers: Mapping[str, str]
    content: bytes


class Connections(httpcore2.NetworkBackend):
    """Connects to hosts whose addresses are all out in the open, and to no other.

    Args:
        lookup: finds a host's IP addresses.
        network: connects to them.
        left: seconds that are left for the answer that is waited for, however slowly it drips.
    """

    def __init__(self, lookup: Lookup, network: httpcore2.NetworkBackend, left: Callable[[], float]) -> None:
        self._lookup = lookup
        self._network = network
        self._left = left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        found = open_addresses(host, port, self._lookup)
        for place, address in enumerate(found, start=1):
            try:
                stream = self._network.connect_tcp(address, port, timeout, local_address, socket_options)
                return _Stream(stream, self._left)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if place == len(found):
                    raise
        raise AssertionError("a host without addresses is refused above")


class _Stream(httpcore2.NetworkStream):
    """A connection that is given up when the time for an answer is over."""

    def __init__(self, stream: httpcore2.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._left()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time for an answer is over")
        return self._stream.read(max_bytes, left if timeout is None else min(left, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@dataclass
class Web:
    """The web, as far as it may be asked.

    Attributes:
        allowed: hosts that may be.
        limits: of what is taken.
        contact: how whoever runs a site may reach the one who asks, an address of mail or web; or empty.
        lookup: finds a host's IP addresses.
        network: connects to them.
        sleep: waits so many seconds.
        clock: seconds that only grow.
        taken_bytes: that came over the line so far.
        requests: that were sent so far.
    """

    allowed: AllowedHosts
    limits: Limits = field(default_factory=Limits)
    contact: str = ""
    lookup: Lookup = looked_up
    network: httpcore2.NetworkBackend = field(default_factory=httpcore2.SyncBackend)
    sleep: Sleep = time.sleep
    clock: Clock = time.monotonic
    taken_bytes: int = 0
    requests: int = 0
    _pool: httpcore2.ConnectionPool = field(init=False, repr=False)
    _asked_at: dict[str, float] = field(default_factory=dict, repr=False)
    _until: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=1,
            network_backend=Connections(self.lookup, self.network, lambda: self._until - self.clock()),
        )

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    def get(
        self,
        address: Address,
        max_bytes: int,
        kinds: Iterable[str],
        may: Callable[[Address], float],
    ) -> Answer:
        """Ask for an address, and for those that it leads on to.

        Args:
            address: the first.
            max_bytes: the answer may have.
            kinds: media types that are taken, or how they begin, as `image/`.
            may: is asked before each step; raises `Refused`, or gives the seconds to wait between requests.

        Raises:
            Refused: Nothing was asked, or the answer is not taken; the reason says which.
        """
        for _ in range(MAX_REDIRECTS + 1):
            self.allowed.check(address)
            self._wait(address, may(address))
            self._until = self.clock() + self.limits.answer_seconds
            with self._asked(address) as response:
                if response.status not in REDIRECTS:
                    return self._answer(address, response, max_bytes, tuple(kinds))
                address = address_of(urljoin(str(address), _headers(response).get("location", "")))
        raise Refused("too-many-redirects", f"it leads on more than {MAX_REDIRECTS} times")

    def _wait(self, address: Address, pause: float) -> None:
        """Keep a pause between requests to one site."""
        since = self.clock() - self._asked_at.get(address.site, float("-inf"))
        if since < pause:
            self.sleep(pause - since)
        self._asked_at[address.site] = self.clock()

    @contextmanager
    def _asked(self, address: Address) -> Iterator[httpcore2.Response]:
        silence = self.limits.silence_seconds
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), silence)
        self.requests += 1
        try:
            with self._pool.stream(
                "GET", str(address), headers=self._greeting(address), extensions={"timeout": timeout}
            ) as response:
                yield response
        except httpcore2.TimeoutException as error:
            if self.clock() < self._until:
                raise Refused("no-answer", f"nothing came for {silence:g} s", passing=True) from error
            whole = f"it was not there after {self.limits.answer_seconds:g} s"
            raise Refused("too-slow", whole, passing=True) from error
        except httpcore2.UnsupportedProtocol as error:
            raise Refused("no-address", str(error)) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Refused("broken-off", str(error) or type(error).__name__, passing=True) from error

    def _greeting(self, address: Address) -> dict[bytes | str, bytes | str]:
        contact = f" (+{self.contact})" if self.contact else ""
        return {
            "Host": address.site,
            "User-Agent": f"{ROBOT}{contact}",
            "Accept-Encoding": "identity",  # nothing is unpacked that might be larger than it came
        }

    def _answer(
        self,
        address: Address,
        response: httpcore2.Response,
        max_bytes: int,
        kinds: tuple[str, ...],
    ) -> Answer:
        headers = _headers(response)
        if response.status != 200:
            raise Refused(
                f"status-{response.status}",
                f"the site answers {response.status}",
                passing=response.status in ASK_LATER,
            )
        kind, _, parameters = headers.get("content-type", "").lower().partition(";")
        kind = kind.strip()
        if not kind.startswith(kinds):
            raise Refused("wrong-kind", f"it is {kind or 'of no kind'}; {', '.join(kinds)} is taken")
        if headers.get("content-encoding", "identity") != "identity":
            raise Refused("packed", f"it comes as {headers['content-encoding']}, which was not asked for")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > max_bytes:
            raise Refused("too-large", f"it has {int(length):,} bytes; up to {max_bytes:,} are taken")
        return Answer(address, kind, _charset(parameters), headers, self._read(response, max_bytes))

    def _read(self, response: httpcore2.Response, max_bytes: int) -> bytes:
        content = bytearray()
        for part in response.iter_stream():
            content += part
            self.taken_bytes += len(part)
            if len(content) > max_bytes:
                raise Refused("too-large", f"it has more than {max_bytes:,} bytes")
        return bytes(content)


def _headers(response: httpcore2.Response) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, value in response.headers
    }


def _charset(parameters: str) -> str:
    found = (one.strip().partition("=") for one in parameters.split(";"))
    return next((value.strip("\"' ") for name, _, value in found if name == "charset"), "")
