"""Proxies of the environment: the hub and servers elsewhere are reached through them, this machine is not."""

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from blip_core.errors import PlaceError

_KINDS = ("http", "https", "all")
_SCHEMES = ("http", "https", "socks5", "socks5h")  # that httpx and requests both know
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERY_HOST = "*"


def proxy_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of proxies, as every library here reads them.

    Raises:
        PlaceError: A proxy cannot be used. Libraries fail on it even where nothing goes through it.
    """
    return {**_respelt(environment), **_direct(environment)}


def _direct(environment: Mapping[str, str]) -> dict[str, str]:
    """What is reached directly: this machine, and what somebody has set.

    Libraries look at either variable; where one alone is set, the other one says the same.
    """
    upper, lower = environment.get("NO_PROXY", ""), environment.get("no_proxy", "")
    return {"NO_PROXY": _with_loopback(upper or lower), "no_proxy": _with_loopback(lower or upper)}


def _with_loopback(listed: str) -> str:
    hosts = [host.strip().removeprefix("[").removesuffix("]") for host in listed.split(",")]
    if _EVERY_HOST in hosts:
        return _EVERY_HOST
    return ",".join([*_LOOPBACK, *(host for host in hosts if _is_host(host) and host not in _LOOPBACK)])


def _is_host(text: str) -> bool:
    """Whether it is a name, an address or a network, with a port or without: httpx fails on all else."""
    _, colon, port = text.partition(":")
    return bool(text) and text.isascii() and (not colon or port.isdigit() or _is_address(text))


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _respelt(environment: Mapping[str, str]) -> dict[str, str]:
    respelt = {}
    for name, value in _proxies(environment):
        scheme, mark, rest = value.partition("://")
        if mark and scheme.lower() == "socks":  # as desktops write it
            scheme = "socks5"
        if (mark and scheme.lower() not in _SCHEMES) or not _has_host(rest if mark else scheme):
            raise PlaceError(
                f"the proxy in {name} cannot be used: it is to read SCHEME://HOST:PORT, and allowed schemes "
                f"are {', '.join(_SCHEMES)}; mend the variable, or unset it"
            )
        respelt[name] = f"{scheme}{mark}{rest}"
    return respelt


def _proxies(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for kind in _KINDS:
        for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
            if value := environment.get(name, "").strip():
                yield name, value


def _has_host(rest: str) -> bool:
    try:
        address = urlsplit(f"//{rest}")
        return bool(address.hostname) and address.port != 0
    except ValueError:  # no port
        return False
