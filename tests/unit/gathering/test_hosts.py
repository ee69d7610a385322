"""Which addresses may be asked."""

import pytest

from blip_core.errors import UserMistake
from blip_core.gathering.hosts import AllowedHosts, address_of, looked_up, open_addresses
from blip_core.gathering.refused import Refused


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("http://Site.Example", "http://site.example/"),
        ("https://site.example:443/a?b=c#d", "https://site.example/a?b=c"),
        ("http://site.example:8080/a b", "http://site.example:8080/a%20b"),
        ("http://b\u00fccher.example/\u00e4", "http://xn--bcher-kva.example/%C3%A4"),
        ("http://[2606:2800:220:1::1]/", "http://[2606:2800:220:1::1]/"),
        (" http://site.example./x ", "http://site.example/x"),
    ],
)
def test_an_address_is_read_as_requests_name_it(text, read):
    assert str(address_of(text)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "site.example",
        "//site.example/",
        "file:///etc/passwd",
        "ftp://site.example/",
        "data:image/png;base64,AA==",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://user:secret@site.example/",
        "http://site.example:99999/",
        "http://[::1/",
        "http://a" + "b" * 3_000,
        "http://\udcff.example/",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(text):
    with pytest.raises(Refused) as refused:
        address_of(text)
    assert refused.value.reason == "no-address"


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("loopback", ["127.0.0.1"]),
        ("private", ["10.1.2.3"]),
        ("metadata", ["169.254.169.254"]),
        ("carrier", ["100.64.0.1"]),
        ("nowhere", ["0.0.0.0"]),  # noqa: S104 - nothing is bound to it
        ("several", ["93.184.216.34", "192.168.0.1"]),
        ("six", ["::1"]),
        ("local six", ["fe80::1%eth0"]),
        ("unique local", ["fd00::1"]),
        ("mapped", ["::ffff:127.0.0.1"]),
        ("translated", ["64:ff9b::7f00:1"]),
        ("six to four", ["2002:7f00:1::1"]),
        ("multicast", ["224.0.0.1"]),
        ("none", []),
    ],
)
def test_a_name_that_leads_to_a_closed_place_is_refused(host, found):
    with pytest.raises(Refused) as refused:
        open_addresses(host, 80, lambda *_: found)
    assert refused.value.reason == "private-address"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "::1"])
def test_this_machine_is_refused_under_all_its_names(host):
    with pytest.raises(Refused) as refused:
        open_addresses(host, 80, looked_up)
    assert refused.value.reason in ("private-address", "unknown-host")


def test_a_host_that_nobody_knows_may_be_known_later():
    def lookup(host, port):
        raise OSError("Name or service not known")

    with pytest.raises(Refused) as refused:
        open_addresses("gone.example", 80, lookup)
    assert (refused.value.reason, refused.value.passing) == ("unknown-host", True)


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ("site.example", "http://site.example/", True),
        ("Site.Example", "https://site.example/x", True),
        ("site.example", "http://evil-site.example/", False),
        ("site.example", "http://site.example.evil.example/", False),
        ("site.example", "http://site.example:8080/", False),
        ("site.example:8080", "http://site.example:8080/", True),
        ("*.site.example", "http://a.b.site.example/", True),
        ("*.site.example", "http://site.example/", False),
        ("*.site.example", "http://evilsite.example/", False),
    ],
)
def test_only_hosts_that_were_allowed_are_asked(allowed, address, may):
    hosts = AllowedHosts([allowed])
    if may:
        hosts.check(address_of(address))
        return
    with pytest.raises(Refused) as refused:
        hosts.check(address_of(address))
    assert refused.value.reason == "host-not-allowed"


@pytest.mark.parametrize("host", ["", "*", "http://site.example", "site.example/path", "a b", "*.*.example"])
def test_what_is_no_host_is_told(host):
    with pytest.raises(UserMistake, match=r"write it as example\.org"):
        AllowedHosts([host])
