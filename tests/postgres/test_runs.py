"""Whole runs on servers whose records are in PostgreSQL: nothing lost when it restarts, no password kept."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import sqlalchemy

from blip_core.databases import DRIVER, with_driver
from blip_core.launching.guard import ProcessGroups
from blip_core.tracking.journal import read_journal
from blip_core.wiring.servers import HOST, answers
from tests.deployments.conftest import free_port
from tests.postgres.cluster import PASSWORD, Cluster

pytestmark = pytest.mark.postgres

CANARY = "c4nary-in-an-address"
PATIENCE_SECONDS = 500  # a bound for a crowded machine, not a measurement
RESTARTS = 10
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SMALL = [
    "source.kind=world",
    "scenes.count=24",
    "labels.per_picture=1",
    "finetune.epochs=1.0",
    "evaluation.limit=8",
]
LONG = [*SMALL[:3], "finetune.epochs=300.0", "finetune.save_every_seconds=1", "finetune.sample_rows=0"]


@dataclass(frozen=True)
class Pages:
    """Both servers with a worker, as `foundry ui` serves them."""

    home: Path
    api: str
    mlflow: str
    databases: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Of runs: logins stand in both addresses, though these servers ask for none."""
        return os.environ | {
            "FOUNDRY_HOME": str(self.home),
            "PREFECT_API_URL": self.api.replace("://", f"://ann:{CANARY}@"),
            "MLFLOW_TRACKING_URI": self.mlflow.replace("://", f"://ann:{CANARY}@"),
            **self.databases,
        }

    def foundry(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows.cli.app", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.api}{path}", data, {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request) as response:  # noqa: S310
            return json.loads(response.read() or "null")

    def start(self, deployment: str, overrides: list[str]) -> str:
        found = self.call(f"/deployments/name/{deployment}/{deployment}")
        body = {"parameters": {"overrides": overrides}}
        return str(self.call(f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def wait_until(self, run: str, types: set[str]) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (state := self.call(f"/flow_runs/{run}")["state"])["type"] not in types:
            assert time.monotonic() < deadline, state
            time.sleep(0.2)
        return dict(state)

    def contents(self) -> str:
        """All rows of both databases, as text."""
        return "\n".join(row for address in self.databases.values() for row in rows(address))


def rows(address: str) -> Iterator[str]:
    engine = sqlalchemy.create_engine(with_driver(address, DRIVER))
    with engine.connect() as connection:
        for table in sqlalchemy.inspect(engine).get_table_names():
            yield from map(str, connection.execute(sqlalchemy.text(f'SELECT * FROM "{table}"')))  # noqa: S608
    engine.dispose()


@pytest.fixture(scope="module")
def pages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("pages")
    databases = {
        "FOUNDRY_PREFECT_DATABASE": cluster.new_database("pages_prefect"),
        "FOUNDRY_MLFLOW_DATABASE": cluster.new_database("pages_mlflow"),
    }
    ports = free_port(), free_port()
    served = Pages(home, f"http://{HOST}:{ports[0]}/api", f"http://{HOST}:{ports[1]}", databases)
    environment = {**os.environ, "FOUNDRY_HOME": str(home), **databases}
    for name in ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_API_DATABASE_CONNECTION_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "flows.cli.app", "ui"]
    command += ["--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    with ExitStack() as stack:
        groups = stack.enter_context(ProcessGroups())
        log = stack.enter_context((home / "ui.log").open("wb"))
        groups.start("ui", command, environment, log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while served.foundry("probe", "prefect", "mlflow", "database", "worker").returncode:
            assert not groups.ended(), (home / "ui.log").read_text()
            assert time.monotonic() < deadline, (home / "ui.log").read_text()
            time.sleep(1.0)
        yield served


def test_a_database_that_restarts_again_and_again_loses_nothing(pages: Pages, cluster: Cluster) -> None:
    run = pages.start("pipeline", SMALL)
    pages.wait_until(run, {"RUNNING", *ENDED})
    for _ in range(RESTARTS):
        cluster.restart()
        time.sleep(1.0)  # long enough to be used again

    state = pages.wait_until(run, ENDED)
    replayed = pages.foundry("run", "gallery-vqa", "--json", *(f"--set={one}" for one in SMALL))

    assert state["type"] == "COMPLETED", state
    assert replayed.returncode == 0, replayed.stderr
    assert answers(f"{pages.api}/ready")
    kept = [read_journal(path) for path in (pages.home / "journal").glob("*.jsonl")]
    assert all(entries[-1].kind == "finish" for entries in kept)
    wanted = {
        f"{key} {value!r}" for entries in kept for one in entries
        if one.kind == "metrics" for key, value in one.data["values"].items()
    }  # fmt: skip
    with sqlalchemy.create_engine(
        with_driver(pages.databases["FOUNDRY_MLFLOW_DATABASE"], DRIVER)
    ).connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT key, value FROM metrics")).fetchall()
    assert wanted <= {f"{key} {value!r}" for key, value in found}


def test_a_tuning_that_is_cancelled_goes_on_from_its_last_state(pages: Pages) -> None:
    first = pages.start("finetune", LONG)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(pages.home.glob("training/*/step-*/complete.json")):
        assert time.monotonic() < deadline
        assert pages.call(f"/flow_runs/{first}")["state"]["type"] not in ENDED
        time.sleep(0.5)
    pages.call(f"/flow_runs/{first}/set_state", {"state": {"type": "CANCELLING"}})
    assert pages.wait_until(first, ENDED)["type"] == "CANCELLED"
    (kept, *_) = sorted(pages.home.glob("training/*/step-*"), reverse=True)

    second = pages.start("finetune", LONG)
    said = f"resumed at step {int(kept.name.removeprefix('step-'))}"
    while not any(int(path.name[-8:]) > int(kept.name[-8:]) for path in pages.home.glob("training/*/step-*")):
        assert time.monotonic() < deadline, said
        time.sleep(0.5)
    pages.call(f"/flow_runs/{second}/set_state", {"state": {"type": "CANCELLING"}})
    assert pages.wait_until(second, ENDED)["type"] == "CANCELLED"


def test_no_password_of_an_address_is_kept_anywhere(pages: Pages) -> None:
    done = pages.foundry("run", "gallery-vqa", "--json", *(f"--set={one}" for one in SMALL))
    examined = pages.foundry("doctor", "--json")
    away = subprocess.run(
        [sys.executable, "-m", "flows.cli.app", "probe"],
        env=pages.environment | {"PREFECT_API_URL": f"http://ann:{CANARY}@{HOST}:1/api"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    shown = [text for one in (done, examined, away) for text in (one.stdout, one.stderr)]
    kept = [path.read_bytes() for path in pages.home.rglob("*") if path.is_file()]
    for secret in (CANARY, PASSWORD):
        assert not any(secret in text for text in (*shown, pages.contents()))
        assert not any(secret.encode() in content for content in kept)
