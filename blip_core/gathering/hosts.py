"""Which addresses may be asked: those of hosts that were allowed, and of machines out in the open only."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from blip_core.errors import UserMistake
from blip_core.gathering.refused import Refused

PORTS = {"http": 80, "https": 443}
MAX_ADDRESS_CHARS = (
    2_000  # longer ones are refused by common servers, too (RFC 9110, section 4.1: 8,000 octets)
)

_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]+(%[\w.-]+)?")  # names, and addresses of IPv6

Lookup = Callable[[str, int], list[str]]
"""IP addresses of a host, given with the port; raises OSError where it has none."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address on the web, as requests name it: without fragment, the host in ASCII and lower case."""

    scheme: str
    host: str
    port: int
    target: str

    def __str__(self) -> str:
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}{self.target}"

    @property
    def site(self) -> str:
        """The host with its port where that is not the scheme's own."""
        return str(self).partition("://")[2].removesuffix(self.target)

    @property
    def robots(self) -> "Address":
        """Where the site says what machines may ask (RFC 9309, section 2.3)."""
        return Address(self.scheme, self.host, self.port, "/robots.txt")


def address_of(text: str) -> Address:
    """Read an absolute address.

    Raises:
        Refused: It is no address of the web that may be asked (`no-address`).
    """
    if len(text) > MAX_ADDRESS_CHARS:
        raise Refused("no-address", f"it has {len(text)} characters; up to {MAX_ADDRESS_CHARS} are asked for")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
        host = _ascii(parts.hostname or "")
    except ValueError as error:
        raise Refused("no-address", f"{text!r}: {error}") from error
    if parts.scheme not in PORTS or not host:
        raise Refused("no-address", f"{text!r} does not begin with http:// or https:// and a host")
    if not _HOST.fullmatch(host):
        raise Refused("no-address", f"{host!r} is no name of a host")
    if parts.username is not None or parts.password is not None:
        raise Refused("no-address", f"the address at {host} carries a name or password")
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return Address(parts.scheme, host, PORTS[parts.scheme] if port is None else port, _quoted(target))


def hosts_of(pages: Iterable[str]) -> list[str]:
    """The hosts of pages, each once; what is no address has none."""
    hosts: dict[str, None] = {}
    for text in pages:
        with suppress(Refused):
            hosts[address_of(text).site] = None
    return list(hosts)


class AllowedHosts:
    """The hosts that may be asked: `example.org`, `example.org:8080`, or `*.example.org` for all below it.

    Raises:
        UserMistake: One of them is no host.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = tuple(map(_checked, hosts))

    def __str__(self) -> str:
        return ", ".join(self._hosts)

    def check(self, address: Address) -> None:
        """Raise `Refused` (`host-not-allowed`) where none of them is the host of an address."""
        if not any(_covers(allowed, address.site) for allowed in self._hosts):
            raise Refused("host-not-allowed", f"{address.site} is not among the hosts allowed: {self}")


def looked_up(host: str, port: int) -> list[str]:
    """The IP addresses that this machine knows a host by.

    Raises:
        OSError: It knows none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def open_addresses(host: str, port: int, lookup: Lookup) -> list[str]:
    """The IP addresses of a host, all of which must be out in the open.

    Raises:
        Refused: It has none (`unknown-host`), or one that is private, loopback, link-local or otherwise kept
            for a purpose of its own (`private-address`).
    """
    try:
        found = lookup(host, port)
    except (OSError, UnicodeError) as error:
        raise Refused("unknown-host", f"{host}: {error}", passing=True) from error
    closed = [one for one in found if not _is_open(one)]
    if closed or not found:
        raise Refused(
            "private-address", f"{host} is {', '.join(closed) or 'nowhere'}, no place on the open web"
        )
    return found


def _is_open(text: str) -> bool:
    """Whether an IP address is globally reachable (IANA's registries), also where it wraps another one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), _translated(address)]
        if any(inner is not None and not inner.is_global for inner in wrapped):
            return False
    return address.is_global and not address.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address behind NAT64's well-known prefix (RFC 6052)."""
    if address not in ipaddress.IPv6Network("64:ff9b::/96"):
        return None
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _ascii(host: str) -> str:
    return (
        host.rstrip(".").lower()
        if host.isascii()
        else host.rstrip(".").encode("idna").decode("ascii").lower()
    )


def _quoted(target: str) -> str:
    """A path and query of visible ASCII, as a request line takes them."""
    return "".join(
        char if "!" <= char <= "~" else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in target
    )


def _checked(host: str) -> str:
    name = host.strip().lower().removeprefix("*.")
    try:
        address = address_of(f"https://{name}/")
    except Refused as refused:
        raise UserMistake(_no_host(host)) from refused
    if not name or address.target != "/" or address.site.strip("[]") != _ascii_site(name).strip("[]"):
        raise UserMistake(_no_host(host))
    return f"*.{address.site}" if host.strip().startswith("*.") else address.site


def _ascii_site(name: str) -> str:
    host, colon, port = name.rpartition(":") if name.rpartition(":")[2].isdigit() else (name, "", "")
    return f"{_ascii(host)}{colon}{port}".removesuffix(":443")


def _no_host(host: str) -> str:
    return (
        f"{host!r} is no host; write it as example.org, example.org:8080, or *.example.org for all below it"
    )


def _covers(allowed: str, site: str) -> bool:
    if allowed.startswith("*."):
        return site.endswith(allowed[1:])
    return site == allowed
