"""Proxies of the environment: other machines are reached through them, this one never is."""

import os

import httpx
import pytest

from blip_core import wiring
from blip_core.errors import PlaceError
from blip_core.wiring.proxies import proxy_environment

PROXY = {"http_proxy": "http://proxy.example:3128"}
LOOPBACK = "127.0.0.1,localhost,::1"


def direct(**environment):
    prepared = proxy_environment(PROXY | environment)
    return prepared["NO_PROXY"], prepared["no_proxy"]


@pytest.mark.parametrize(
    ("set_to", "expected"),
    [
        ({}, LOOPBACK),
        ({"NO_PROXY": "intranet.example, 10.0.0.0/8"}, f"{LOOPBACK},intranet.example,10.0.0.0/8"),
        ({"no_proxy": "localhost,.corp,*.example"}, f"{LOOPBACK},.corp,*.example"),
        ({"NO_PROXY": "*"}, "*"),
        ({"no_proxy": "a,*"}, "*"),
        ({"NO_PROXY": "[::1],[fe80::1],host:8080"}, f"{LOOPBACK},fe80::1,host:8080"),
        ({"NO_PROXY": " , ,"}, LOOPBACK),
    ],
)
def test_this_machine_is_reached_directly_and_what_somebody_exempted_stays_so(set_to, expected):
    assert direct(**set_to) == (expected, expected)


def test_each_variable_keeps_what_it_had_where_both_are_set():
    assert direct(NO_PROXY="one", no_proxy="two") == (f"{LOOPBACK},one", f"{LOOPBACK},two")


@pytest.mark.parametrize("odd", ["[::1]:80", "::1/128", "host:x", "http://here", "한국", "a,,[::1]:80"])
def test_an_exemption_that_httpx_fails_on_is_left_out(monkeypatch, odd):
    monkeypatch.setattr("os.environ", PROXY | proxy_environment({"NO_PROXY": odd}))
    httpx.Client().close()


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("named", "read_as"),
    [
        ("proxy:3128", "proxy:3128"),
        ("http://user:secret@proxy:3128", "http://user:secret@proxy:3128"),
        (" HTTPS://[::1]:3 ", "HTTPS://[::1]:3"),
        ("socks5h://localhost:1080", "socks5h://localhost:1080"),
        ("socks://localhost:1080/", "socks5://localhost:1080/"),
    ],
)
def test_a_proxy_is_spelt_as_every_library_reads_it(monkeypatch, name, named, read_as):
    prepared = proxy_environment({name: named})
    monkeypatch.setattr("os.environ", prepared)
    httpx.Client().close()
    assert prepared[name] == read_as


@pytest.mark.parametrize(
    "named",
    ["socks4://proxy:1080", "ftp://proxy", "http://", "http://proxy:99999", "http:x:1", "http://[bad"],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(named):
    secret = named.replace("://", "://user:secret@", 1)
    with pytest.raises(PlaceError, match=r"proxy in ALL_PROXY cannot be used.*unset it") as refusal:
        proxy_environment({"ALL_PROXY": secret})
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("named", ["", " ", "\t"])
def test_an_empty_variable_names_no_proxy(named):
    assert "ALL_PROXY" not in proxy_environment({"ALL_PROXY": named})


def test_processes_that_are_started_inherit_what_is_direct(monkeypatch, tmp_path):
    monkeypatch.setattr("os.environ", {**os.environ, **PROXY, "FOUNDRY_HOME": str(tmp_path)})
    wiring.prepare_environment(wiring.workplace())
    assert wiring.library_environment()["NO_PROXY"].startswith(LOOPBACK)
