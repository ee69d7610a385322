"""HTTP clients that find their way past every proxy to this machine, and addresses that tell no password."""

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from blip_core.errors import PlaceError

if TYPE_CHECKING:
    import httpx2

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

CONNECT_TIMEOUT_S = 10.0

_USER = r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<user>[^\s/?#'\"<>@:]*)"
_NO_PORT = r":(?!\d+(?:[/?#\s]|\Z))"
# A password whose signs ought to be escaped and are not ends at the last @.
_LOGIN = re.compile(rf"{_USER}(?:{_NO_PORT}(?:(?!://)[^\s'\"<>])*)?@", re.IGNORECASE)
_WHOLE = re.compile(rf"{_USER}{_NO_PORT}.*@(?=[^\s@]*\Z)", re.IGNORECASE | re.DOTALL)  # with spaces in it
_SECRET = re.compile(
    r"(?P<name>[?&;\s][a-z_]*(?:password|passwd|passphrase|pwd|token|secret|access_key|api_key))=[^&;\s'\"<>]+",
    re.IGNORECASE,
)


def http_client(
    url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    connections: int = 1,
) -> "httpx2.Client":
    """A client for the server at an address; it follows no redirect by itself.

    A server on this machine, or one that `NO_PROXY` excludes, is asked directly; any other through the proxy
    that the environment names.

    Args:
        url: of the server.
        timeout_s: longest silence of the server.
        headers: sent with every request.
        connections: how many requests are under way at once.

    Raises:
        PlaceError: The environment names a proxy that cannot be used.
    """
    import httpx2

    try:
        return httpx2.Client(
            headers=headers,
            timeout=timeout_of(timeout_s),
            limits=httpx2.Limits(max_connections=connections),
            verify=httpx2.create_ssl_context(),  # certificates that the environment names, proxy or not
            trust_env=not goes_direct(url),
        )
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise PlaceError(
            f"the proxy that the environment names cannot be used ({error}); mend or unset http_proxy, "
            f"https_proxy and all_proxy, or exclude {urlsplit(url).hostname} in NO_PROXY"
        ) from error


def timeout_of(silence_s: float) -> "httpx2.Timeout":
    """How long a server may be silent; connecting is given up sooner."""
    import httpx2

    return httpx2.Timeout(silence_s, connect=min(silence_s, CONNECT_TIMEOUT_S))


def goes_direct(url: str) -> bool:
    """Whether a server is asked without a proxy: it is this machine, or `NO_PROXY` excludes it."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return is_this_machine(host) or _is_excluded(host, getproxies().get("no", ""))


def is_this_machine(host: str) -> bool:
    """Whether a host's name or address leads back to where it is asked: loopback, or all interfaces."""
    address = _address(host)
    if address is None:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _is_excluded(host: str, excluded: str) -> bool:
    """Whether one of the names, suffixes, addresses or networks in a list with commas holds a host."""
    return any(_holds(entry.strip().lower(), host.lower()) for entry in excluded.split(",") if entry.strip())


def _holds(entry: str, host: str) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if address is None:
        suffix = entry.partition(":")[0].removeprefix("*").lstrip(".")
        return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _address(host: str) -> IPAddress | None:
    """The address that a host's name is, if it is one; an IPv4 address in IPv6's clothes is the former."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def without_password(text: str) -> str:
    """An address, or a text with addresses in it, as it may be shown, logged and stored.

    Of an address on the web the whole login goes, since a name alone may be a key; of any other, such as a
    database's, the name stays.
    """
    return _SECRET.sub(r"\g<name>=***", _LOGIN.sub(_nameless, _WHOLE.sub(_nameless, text)))


def _nameless(found: re.Match[str]) -> str:
    scheme, user = found["scheme"], found["user"]
    keeps_user = bool(user) and not scheme.lower().startswith("http")
    return f"{scheme}://{user}@" if keeps_user else f"{scheme}://"


def login_of(address: str) -> tuple[str, str]:
    """Name and password that an address on the web holds; both empty without."""
    try:
        parts = urlsplit(address)
        return unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:  # no address
        return "", ""
