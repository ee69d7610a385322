"""Which way a request takes: past every proxy to this machine, through the proxy to others."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.connecting import goes_direct, http_client, is_this_machine, login_of, without_password
from blip_core.errors import PlaceError

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class _Proxy(BaseHTTPRequestHandler):
    """Answers for whoever is asked, with the address that it was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def listener():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(url):
    with http_client(url, 5.0) as client:
        return client.get(url).status_code


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "models.localhost", "127.0.0.1", "127.8.9.1", "[::1]", "::"]
)
def test_names_of_this_machine(host):
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["", "localhost.example.org", "10.0.0.1", "127.0.0.1.org", "2001:db8::1"])
def test_names_of_others(host):
    assert not is_this_machine(host)


def test_an_address_of_this_machine_written_as_ipv6_is_one():
    assert is_this_machine("::ffff:127.0.0.1")


def test_this_machine_is_asked_past_a_proxy_that_is_away(listener, monkeypatch):
    for name in ("http_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(f"{listener.url}/health") == 200
    assert listener.asked == ["/health"]


def test_others_are_asked_through_the_proxy(listener, monkeypatch):
    monkeypatch.setenv("http_proxy", listener.url)
    assert get("http://models.example.org/v1/models") == 200
    assert listener.asked == ["http://models.example.org/v1/models"]


@pytest.mark.parametrize(
    ("excluded", "url", "direct"),
    [
        ("example.org", "http://example.org/v1", True),
        ("example.org", "http://models.example.org/v1", True),
        (".example.org", "http://models.EXAMPLE.org/v1", True),
        ("*.example.org", "http://models.example.org/v1", True),
        ("example.org", "http://notexample.org/v1", False),
        ("example.org:8000", "http://example.org:8000/v1", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000/v1", False),
        ("10.1.2.3", "http://10.1.2.3/v1", True),
        ("fd00::/8", "http://[fd00::7]:8000/v1", True),
        ("[fd00::7]", "http://[fd00::7]:8000/v1", True),
        ("a, b ,*", "http://models.example.org/v1", True),
        (", ,/,10.0.0.0/99", "http://10.1.2.3/v1", False),
        ("", "http://models.example.org/v1", False),
    ],
)
def test_what_no_proxy_excludes_is_asked_directly(excluded, url, direct, monkeypatch):
    monkeypatch.setenv("no_proxy", excluded)
    assert goes_direct(url) is direct


@given(st.text(alphabet="ab.*/:[],0129 -"), st.sampled_from(["10.1.2.3", "models.example.org", "[fd00::7]"]))
def test_no_list_of_exclusions_breaks(excluded, host):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", excluded)
        assert goes_direct(f"http://{host}/v1") in (True, False)


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_told_with_the_mend(proxy, monkeypatch):
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(PlaceError, match=r"unset http_proxy.*exclude models\.example\.org in NO_PROXY"):
        http_client("http://models.example.org/v1", 5.0)


def test_a_proxy_that_cannot_be_used_does_not_matter_to_who_goes_past_it(listener, monkeypatch):
    monkeypatch.setenv("all_proxy", "ftp://127.0.0.1:1")
    assert get(f"{listener.url}/health") == 200


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ann:s3cret@host:5000/api", "http://host:5000/api"),
        ("https://t0ken@host", "https://host"),
        ("postgresql+asyncpg://ann:s3cret@db:5432/prefect", "postgresql+asyncpg://ann@db:5432/prefect"),
        ("postgresql://ann@db/prefect", "postgresql://ann@db/prefect"),
        ("postgresql://:s3cret@db/prefect", "postgresql://db/prefect"),
        ("postgresql://ann:s3/c@r:e t@db/prefect", "postgresql://ann@db/prefect"),
        ("http://ann:s3/cr?e#t@host/api", "http://host/api"),
        (
            "postgresql:///prefect?host=/run/pg&password=s3cret",
            "postgresql:///prefect?host=/run/pg&password=***",
        ),
        ("s3://key:s3cret@bucket/a?secret_access_key=s3cret", "s3://key@bucket/a?secret_access_key=***"),
        ("http://127.0.0.1:5000/#/models/a@b", "http://127.0.0.1:5000/#/models/a@b"),
        ("models:/gallery@champion", "models:/gallery@champion"),
        ("sqlite:////home/ann@work/mlflow.db", "sqlite:////home/ann@work/mlflow.db"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert without_password(address) == shown
    assert without_password(shown) == shown


def test_each_address_in_a_text_loses_its_password():
    text = "tried http://a:s3cret@one/x, then 'postgresql://b:s3cret@two/y' "
    shown = "tried http://one/x, then 'postgresql://b@two/y' "
    assert without_password(text) == shown


@given(st.text(min_size=4), st.sampled_from(["http", "postgresql+psycopg", "s3"]))
def test_no_escaped_password_is_ever_shown(password, scheme):
    address = f"{scheme}://ann:x{quote(password, safe='')}@host/path"
    assert without_password(address) in {f"{scheme}://ann@host/path", f"{scheme}://host/path"}
    assert login_of(address) == ("ann", f"x{password}")
