"""Who may reach a server, and under which names: this machine alone, unless there is a key for others."""

import ipaddress
from collections.abc import Collection, Iterable

from blip_core.errors import PlaceError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def allowed_hosts(host: str, further: Collection[str], key: str, key_variable: str) -> frozenset[str]:
    """Names that a request may give in its header `Host`; a page on the web cannot borrow another one.

    Args:
        host: address that the server is bound to.
        further: names by which people reach it.
        key: that requests have to bear; empty, none.
        key_variable: of the environment that holds it, for messages.

    Raises:
        PlaceError: Other machines could reach it without a key, or no name is known.
    """
    named = frozenset(_plain(name) for name in (*LOOPBACK, *further))
    if is_loopback(host):
        return named
    if not key:
        raise PlaceError(
            f"--host {host} lets other machines in: set {key_variable} to a key that they have to send, or "
            "leave --host out and stay on this machine"
        )
    if _is_any(host) and not further:
        raise PlaceError(
            f"--host {host} is every address of this machine: say with --allowed-host under which names "
            "clients reach it"
        )
    return named | {_plain(host)}


def named_host(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The name in the header `Host`, without its port; empty where there is none."""
    given = next((value for name, value in headers if name.lower() == b"host"), b"").decode("latin-1")
    if given.startswith("["):
        return _plain(given[1:].partition("]")[0])
    return _plain(given.rpartition(":")[0] or given)


def _plain(name: str) -> str:
    return name.strip().strip("[]").rstrip(".").lower()


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host
