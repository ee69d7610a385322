"""Servers that other machines can reach ask for a login."""

import base64

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from blip_core.errors import PlaceError
from blip_core.tracking.guarding import LoginGuard
from blip_core.wiring.binding import MLFLOW_LOGIN, PREFECT_LOGIN, check_host, host_of, names_of_loopback


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PREFECT_LOGIN, *MLFLOW_LOGIN):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.0.1"])
def test_this_machine_alone_needs_no_login(host: str):
    check_host(host, MLFLOW_LOGIN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gpu-box", ""])  # noqa: S104 - refused
def test_other_machines_need_one(host: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PlaceError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        check_host(host, MLFLOW_LOGIN)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    with pytest.raises(PlaceError, match="set MLFLOW_TRACKING_PASSWORD, "):
        check_host(host, MLFLOW_LOGIN)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    check_host(host, MLFLOW_LOGIN)


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--port", "1", "--host=0.0.0.0"]])  # noqa: S104
def test_the_host_is_that_of_the_command(arguments: list[str]):
    assert host_of(arguments) == "0.0.0.0"  # noqa: S104


def test_the_host_without_a_word_is_loopback_or_the_environments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PREFECT_SERVER_API_HOST", raising=False)
    assert host_of(["--port", "4200"]) == "127.0.0.1"
    monkeypatch.setenv("PREFECT_SERVER_API_HOST", "::")
    assert host_of([]) == "::"


def test_names_of_this_machine_are_allowed_and_those_that_are_given(monkeypatch: pytest.MonkeyPatch):
    assert names_of_loopback() == ["127.0.0.1", "localhost"]
    monkeypatch.setenv("FOUNDRY_ALLOWED_HOSTS", "foundry.example, pages.example,")
    assert names_of_loopback()[2:] == ["foundry.example", "pages.example"]


@pytest.fixture
def guarded() -> TestClient:
    app = FastAPI()
    app.add_middleware(LoginGuard, user="me", password="sécret:1")

    @app.get("/{path:path}")
    def answer(path: str) -> str:
        return f"told {path}"

    return TestClient(app)


def header(login: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def test_a_request_without_the_login_learns_nothing(guarded: TestClient):
    for login in (
        {},
        header("me:"),
        header("me:other"),
        header("other:sécret:1"),
        {"Authorization": "Bearer x"},
    ):
        refused = guarded.get("/api/2.0/mlflow/runs", headers=login)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
        assert "told" not in refused.text


def test_a_request_with_the_login_is_answered_and_a_probe_without(guarded: TestClient):
    assert guarded.get("/api/2.0/mlflow/runs", headers=header("me:sécret:1")).status_code == 200
    assert guarded.get("/health").status_code == 200
    assert guarded.get("/health/../api").status_code == 401
