"""A Ray cluster of two nodes on this machine, to try out and to test with; ends with this program, alone.

Ray listens on all interfaces and knows its nodes by the machine's own address; a token that only this user
can read guards it. Run as `python -m deployments.cluster`, until Ctrl-C.
"""

import argparse
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blip_core.errors import PlaceError
from blip_core.launching.guard import ProcessGroups
from blip_core.wiring import library_environment

PORT = 26379  # outside of 10002 to 19999, which Ray gives to its workers
_OBJECT_BYTES = 100_000_000  # shards go through the store, messages are small
_START_SECONDS = 60.0
_POLL_SECONDS = 0.2
_ONLY_MINE = 0o600


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        environment: by which a run finds it, and is let in.
        nodes: its processes; ends with them.
        folder: of its token, logs and sockets.
    """

    environment: Mapping[str, str]
    nodes: ProcessGroups
    folder: Path

    def add(self, name: str, cpus: int) -> None:
        """Start one more node."""
        address = self.environment["RAY_ADDRESS"]
        self.start(name, ["--address", address, "--num-cpus", str(cpus)])

    def start(self, name: str, told: list[str]) -> None:
        """Start a node by what `ray start` is told of it."""
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats",
            "--num-gpus", "0", "--object-store-memory", str(_OBJECT_BYTES), *told,
        ]  # fmt: skip
        # Where things rest each run says itself: a node's own word would go before it.
        own = {key: value for key, value in library_environment().items() if not key.startswith("FOUNDRY_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.nodes.start(name, command, {**own, **self.environment}, log)


@contextmanager
def cluster(port: int = PORT, nodes: int = 2, cpus: int = 1) -> Iterator[Cluster]:
    """Start a cluster, and end it behind the context.

    Args:
        port: of its head.
        nodes: how many, the head among them.
        cpus: of each.

    Raises:
        PlaceError: Ray is not installed, or does not start.
    """
    if not Path(sys.executable).with_name("ray").exists():
        raise PlaceError("the package ray is not installed: pip install 'blip-foundry[ray]'")
    folder = Path(tempfile.mkdtemp(prefix="foundry-ray-"))  # short: sockets lie below it
    try:
        with ProcessGroups() as members:
            started = Cluster(_environment(folder, port), members, folder)
            started.start("head", _head(folder, port, cpus))
            _wait(started, members, port)
            for number in range(1, nodes):
                started.add(f"node-{number}", cpus)
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, port: int) -> dict[str, str]:
    token = folder / "token"
    token.touch(_ONLY_MINE)
    token.write_text(secrets.token_hex(32), encoding="utf-8")
    return {
        "RAY_ADDRESS": f"127.0.0.1:{port}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _head(folder: Path, port: int, cpus: int) -> list[str]:
    return [
        "--head", "--port", str(port), "--num-cpus", str(cpus), "--include-dashboard", "false",
        "--node-ip-address", "127.0.0.1", "--temp-dir", str(folder / "ray"),
    ]  # fmt: skip


def _wait(started: Cluster, members: ProcessGroups, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), _POLL_SECONDS).close()
        except OSError:
            pass
        else:
            return
        if members.ended() or time.monotonic() > deadline:
            log = (started.folder / "head.log").read_text(encoding="utf-8", errors="replace").strip()
            raise PlaceError(f"Ray did not start: {next(reversed(log.splitlines()), 'it left no word')}")
        time.sleep(_POLL_SECONDS)


def main() -> None:
    """Run a cluster until somebody ends this program."""
    parser = argparse.ArgumentParser(description="A Ray cluster of two nodes on this machine.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--cpus", type=int, default=1, help="of each node")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        with cluster(asked.port, cpus=asked.cpus) as running:
            names = "\n".join(f"  export {name}={value}" for name, value in running.environment.items())
            sys.stdout.write(
                f"A Ray cluster of two nodes of {asked.cpus} CPU(s) runs here. In another shell:\n{names}\n"
                "  foundry run gallery-vqa --set device.executor=ray --set device.threads=1\n"
                "Ctrl-C here ends this cluster and no other; `ray stop` would end every Ray of this machine\n"
            )
            sys.stdout.flush()
            while not running.nodes.ended():
                time.sleep(_POLL_SECONDS)
            raise PlaceError(f"{running.nodes.ended()} of the cluster ended by itself")
    except KeyboardInterrupt:
        return
    except PlaceError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
