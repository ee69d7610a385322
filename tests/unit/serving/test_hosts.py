"""Other machines are let in with a key alone, and under names that somebody gave."""

import pytest

from blip_core.errors import PlaceError
from blip_core.serving.hosts import allowed_hosts, named_host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_this_machine_no_key_is_needed(host):
    assert {"127.0.0.1", "localhost", "::1"} <= allowed_hosts(host, [], "", "KEY")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "gpu-7"])  # noqa: S104
def test_other_machines_need_a_key(host):
    with pytest.raises(PlaceError, match="set KEY to a key"):
        allowed_hosts(host, ["gpu-7"], "", "KEY")
    assert "gpu-7" in allowed_hosts(host, ["GPU-7."], "secret", "KEY")


def test_every_address_needs_a_name():
    with pytest.raises(PlaceError, match="--allowed-host"):
        allowed_hosts("0.0.0.0", [], "secret", "KEY")  # noqa: S104
    assert "10.0.0.7" in allowed_hosts("10.0.0.7", [], "secret", "KEY")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"127.0.0.1:8000", "127.0.0.1"),
        (b"[::1]:8000", "::1"),
        (b"[::1]", "::1"),
        (b"GPU-7.", "gpu-7"),
        (b"", ""),
    ],
)
def test_the_host_of_a_request_is_read_without_its_port(header, name):
    assert named_host([(b"Host", header)]) == name
