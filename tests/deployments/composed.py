"""Starts what compose.yaml names, by hand: the same commands, environment, names, ports and health checks.

Run as root by `unshare --net --mount --pid --fork --kill-child python -m tests.deployments.composed FOLDER`:
names of services lead to loopback in a network of its own, so that nothing in the file has to be changed,
each service sees its volume where the image has it, and when this process ends nothing is left. PostgreSQL's
image is stood in for by Debian's binaries; the others run from this environment.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.deployments.templates import COMPOSE, filled, services

MOUNTED = "/srv/foundry"  # where the image has its state
SECRETS = {
    "POSTGRES_PASSWORD": "canary-of-postgres",
    "PREFECT_LOGIN": "foundry:canary-of-prefect",
    "MLFLOW_PASSWORD": "canary-of-mlflow",
}
SHORT = (
    "scenes.count=20",
    "labels.per_picture=1",
    "finetune.epochs=1",
    "evaluation.limit=60",
    "inference.circular=false",
    "inference.ablations=[]",
    "findings=[]",
)
PATIENCE_SECONDS = 300.0
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


class Composed:
    """The services of the file, started one after the other.

    Args:
        folder: for volumes and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services = services()
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def up(self) -> None:
        """Start every service that has no profile, each once what it needs is well."""
        waiting = [name for name, service in self._services.items() if "profiles" not in service]
        while waiting:
            name = next(name for name in waiting if not self._needs(name) & set(waiting))
            for other, condition in self._conditions(name).items():
                self._wait(other, condition)
            self._start(name)
            waiting.remove(name)
        for name in ("prefect", "mlflow", "worker"):
            self._wait(name, "service_healthy")

    def run(self, name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Execute a command as a service would."""
        return subprocess.run(
            self._within(name, command),
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service: what the image sets, and what the file does."""
        told = {
            key: filled(str(value), SECRETS) for key, value in self._services[name]["environment"].items()
        }
        path = f"{Path(sys.executable).parent}:{_BINARIES[-1]}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": MOUNTED, "FOUNDRY_HOME": MOUNTED, "PGPASSWORD": "", **told}

    def _needs(self, name: str) -> set[str]:
        return set(self._conditions(name))

    def _conditions(self, name: str) -> Mapping[str, str]:
        return {
            other: told["condition"] for other, told in self._services[name].get("depends_on", {}).items()
        }

    def _start(self, name: str) -> None:
        command = self._services[name].get("command") or self._postgres()
        log = (self._folder / f"{name}.log").open("wb")
        self._started[name] = subprocess.Popen(
            self._within(name, command), env=self.environment(name), stdout=log, stderr=log, cwd="/srv"
        )

    def _within(self, name: str, command: Sequence[str]) -> list[str]:
        """A command that sees the service's volume where the image has it."""
        volumes = self._services[name].get("volumes", [])
        mine = next((one.split(":")[0] for one in volumes if one.endswith(f":{MOUNTED}")), "")
        if not mine:
            return list(command)
        (self._folder / "volumes" / mine).mkdir(parents=True, exist_ok=True)
        mount = f'mount --bind "$0" {MOUNTED} && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self._folder / "volumes" / mine), *command]

    def _postgres(self) -> list[str]:
        """What the entry point of PostgreSQL's image does with its environment, and the command after it."""
        data, told = self._folder / "postgres", self.environment("postgres")
        data.mkdir(mode=0o700)
        subprocess.run(["chown", "postgres", data], check=True)
        password = self._folder / "password"
        password.write_text(told["POSTGRES_PASSWORD"])
        password.chmod(0o644)
        binaries = _BINARIES[-1]
        made = [f"--pgdata={data}", f"--username={told['POSTGRES_USER']}", f"--pwfile={password}"]
        initdb = [*_AS_POSTGRES, binaries / "initdb", "--auth=scram-sha-256", "--no-sync", *made]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
        alone = [*_AS_POSTGRES, binaries / "postgres", "--single", "-D", data, "postgres"]
        script = COMPOSE.with_name("databases.sql").read_text()
        commands = "".join(line for line in script.splitlines() if not line.startswith("--"))
        statements = [f"CREATE DATABASE {told['POSTGRES_DB']};", commands]
        subprocess.run(alone, input="\n".join(statements).encode(), check=True, stdout=subprocess.DEVNULL)
        return [
            *_AS_POSTGRES,
            str(binaries / "postgres"),
            "-D",
            str(data),
            "-k",
            str(data),
            "-c",
            "fsync=off",
        ]

    def _wait(self, name: str, condition: str) -> None:
        process = self._started[name]
        if condition == "service_completed_successfully":
            if process.wait(PATIENCE_SECONDS):
                raise RuntimeError(f"{name} failed:\n{self._log(name)}")
            return
        until = time.monotonic() + PATIENCE_SECONDS
        test = self._services[name]["healthcheck"]["test"][1:]
        while self.run(name, test).returncode:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{name} is not well:\n{self._log(name)}")
            time.sleep(1)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-4000:]


def lay_out(folder: Path) -> None:
    """Make a world in which the file's names and paths are what they are among containers."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    hosts = folder / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *services())))
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/srv"], check=True)
    Path(MOUNTED).mkdir()


def main() -> None:
    """Start all, let the worker do a short run, and tell what came of it."""
    folder = Path(sys.argv[1])
    lay_out(folder)
    composed = Composed(folder)
    composed.up()
    parameters = json.dumps({"overrides": list(SHORT)})
    prefect = ["prefect", "deployment", "run", "pipeline/pipeline", "--params", parameters, "--watch"]
    run = composed.run("worker", prefect)
    sys.stdout.write(json.dumps({"code": run.returncode, "said": run.stdout + run.stderr, **asked(composed)}))


def asked(composed: Composed) -> dict[str, Any]:
    """What both servers say, with their logins and without."""
    curl = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    pages = {
        "prefect": "http://prefect:4200/api/flow_runs/filter",
        "mlflow": "http://mlflow:5000/api/2.0/mlflow/experiments/search?max_results=5",
    }
    strangers = {
        name: composed.run("worker", [*curl, *(["-X", "POST"] if name == "prefect" else []), page]).stdout
        for name, page in pages.items()
    }
    told = composed.run("worker", ["python", "-c", _RUNS])
    return {"strangers": strangers, "runs": json.loads(told.stdout or "null"), "error": told.stderr[-2000:]}


_RUNS = """
import json
from mlflow import MlflowClient
client = MlflowClient()
ids = [one.experiment_id for one in client.search_experiments()]
runs = client.search_runs(ids)
print(json.dumps({"names": sorted(run.info.run_name for run in runs),
    "statuses": sorted({run.info.status for run in runs}),
    "files": sum(len(client.list_artifacts(run.info.run_id)) for run in runs)}))
"""


if __name__ == "__main__":
    main()
