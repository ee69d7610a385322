"""Follows the part "By hand" of docs/how-to/run-for-a-team.md, line by line, on two hosts.

Run as root by `unshare --net --mount --pid --fork --kill-child python -m tests.deployments.two_hosts FOLDER`:
this network is the servers' host, a second one, joined by a cable, the worker's and a person's. Each terminal
begins with a bare environment, each host with an empty home. What is changed of the page is in `CHANGED`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.deployments.composed import SHORT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "run-for-a-team.md"
PASSWORDS = ("PASSWORD", "LONG-RANDOM-WORD", "ANOTHER-ONE")
_SERVERS, _WORK = "10.77.0.1", "10.77.0.2"
_OBJECTS = f"http://{_SERVERS}:9000"
BUCKET = [
    "export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing AWS_REGION=us-east-1",
    f"export AWS_ENDPOINT_URL={_OBJECTS} AWS_ALLOW_HTTP=true",
]
"""What docs/how-to/share-a-store.md asks for besides."""
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
_SETTINGS = " ".join(f"--set {shlex.quote(one)}" for one in SHORT)
CHANGED = {
    "sudo -u postgres": " ".join(_AS_POSTGRES),
    "make install": "true",  # the tests' environment is there, with both extras
    ".venv/bin/pip install": "true",
    "s3://BUCKET/PREFIX": "s3://bucket/team",
    "pipeline/pipeline": f"pipeline/pipeline --params {shlex.quote(json.dumps({'overrides': SHORT}))}",
    "run gallery-vqa": f"run gallery-vqa {_SETTINGS}",
}
_PATIENCE_SECONDS = 300.0


def blocks() -> list[list[str]]:
    """The page's blocks of commands: for the database, the servers, every host, and a run."""
    part = PAGE.read_text(encoding="utf-8").partition("## By hand")[2].partition("\n## ")[0]
    for theirs, ours in CHANGED.items():
        part = part.replace(theirs, ours)
    return [block.splitlines() for block in re.findall(r"```bash\n(.*?)```", part, re.DOTALL)]


class Host:
    """A machine with an empty home.

    Args:
        home: its folder.
        enter: what a command begins with to be on that machine.
    """

    def __init__(self, home: Path, enter: Sequence[str] = ()) -> None:
        self._home = home
        self._enter = enter
        self._terminals = 0
        home.mkdir()

    def start(self, lines: Sequence[str], told: str = "") -> subprocess.Popen[str]:
        """Type lines into a new terminal."""
        path = f"{_BINARIES[-1]}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        bare = {"HOME": str(self._home), "PATH": path, "LANG": "C.UTF-8", "PGHOST": str(self._home.parent)}
        self._terminals += 1
        log = (self._home.parent / f"{self._home.name}-{self._terminals}.log").open("w+")
        script = "\n".join(["set -e", *lines])
        process = subprocess.Popen(
            [*self._enter, "bash", "-c", script],
            cwd=ROOT, env=bare, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        return process

    def run(self, lines: Sequence[str], told: str = "") -> dict[str, Any]:
        """Type lines into a new terminal and wait; gives the exit code, what was said, and the seconds."""
        began = time.monotonic()
        code = self.start(lines, told).wait(_PATIENCE_SECONDS)
        return {"code": code, "said": self.said(), "seconds": round(time.monotonic() - began, 1)}

    def said(self) -> str:
        """What stands in the newest terminal."""
        return (self._home.parent / f"{self._home.name}-{self._terminals}.log").read_text(errors="replace")


def lay_out(folder: Path) -> tuple[Host, Host]:
    """Lay a cable between two networks whose hosts know each other by name."""
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{_SERVERS} servers.example\n{_WORK} work.example\n")
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    other = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    enter = ["nsenter", "--net", f"--target={other.pid}"]
    while subprocess.run([*enter, "ip", "link", "show", "eth0"], capture_output=True, check=False).returncode:
        cable = ["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid)]
        subprocess.run(cable, capture_output=True, check=False)  # until `unshare` has made the other network
        time.sleep(0.1)
    for where, address in (([], _SERVERS), (enter, _WORK)):
        subprocess.run([*where, "ip", "address", "add", f"{address}/24", "dev", "eth0"], check=True)
        for link in ("lo", "eth0"):
            subprocess.run([*where, "ip", "link", "set", link, "up"], check=True)
    return Host(folder / "servers"), Host(folder / "work", enter)


def start_postgres(folder: Path) -> None:
    """What Debian's package does."""
    data = folder / "postgres"
    data.mkdir()
    subprocess.run(["chown", "postgres", data, folder], check=True)
    made = [f"--pgdata={data}", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
    subprocess.run([*_AS_POSTGRES, _BINARIES[-1] / "initdb", *made], check=True, stdout=subprocess.DEVNULL)
    options = ["-o", f"-k {folder}", "-l", str(data / "log")]
    start = [*_AS_POSTGRES, str(_BINARIES[-1] / "pg_ctl"), "start", "-w", "-D", str(data), *options]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL)


def start_objects(folder: Path) -> None:
    """The object store of the team, with a bucket."""
    log = (folder / "objects.log").open("w")
    moto = [sys.executable, "-m", "moto.server", "-H", _SERVERS, "-p", "9000"]
    subprocess.Popen(moto, stdout=log, stderr=log, start_new_session=True)
    wait_for(["curl", "--silent", "--fail", "-X", "PUT", f"{_OBJECTS}/bucket"])


def wait_for(question: Sequence[str]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while subprocess.run(question, capture_output=True, check=False).returncode:
        if time.monotonic() > until:
            raise TimeoutError(shlex.join(question))
        time.sleep(0.5)


def follow(servers: Host, work: Host) -> dict[str, Any]:
    """Type what the page says, each terminal's lines into a terminal."""
    database, serving, working, running = blocks()
    told = {"database": servers.run(database, told="PASSWORD\nPASSWORD\n")}
    *exports, prefect, mlflow = serving
    began = time.monotonic()
    for command in (prefect, mlflow):
        servers.start([*exports, command])
    wait_for(["curl", "--silent", "--fail", "http://servers.example:4200/api/ready"])
    wait_for(["curl", "--silent", "--fail", "http://servers.example:5000/health"])
    told["servers"] = {"code": 0, "said": "", "seconds": round(time.monotonic() - began, 1)}
    exports = [*[line for line in working if line.startswith("export")], *BUCKET]
    doctor, deploy, worker = (line for line in working[2:] if not line.startswith("export"))
    told["doctor"] = work.run([*exports, doctor])
    told["deploy"] = work.run([*exports, deploy])
    work.start([*exports, worker])
    told["worker's run"], told["person's run"] = (work.run([*exports, line]) for line in running)
    told["runs"] = work.run([*exports, f".venv/bin/python -c {shlex.quote(_RUNS)}"])
    return told


_RUNS = """
from mlflow import MlflowClient
client = MlflowClient()
ids = [one.experiment_id for one in client.search_experiments()]
for run in client.search_runs(ids):
    if url := run.data.tags.get("prefect.flow_run_url"):
        print(run.info.status, url.partition("/runs")[0], len(client.list_artifacts(run.info.run_id)) > 0)
"""


def main() -> None:
    """Lay out both hosts, follow the page, and tell what came of each line."""
    folder = Path(sys.argv[1])
    servers, work = lay_out(folder)
    start_postgres(folder)
    start_objects(folder)
    sys.stdout.write(json.dumps(follow(servers, work)))
    sys.stdout.flush()
    os._exit(0)  # with the namespace go the servers


if __name__ == "__main__":
    main()
