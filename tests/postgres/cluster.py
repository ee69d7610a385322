"""A PostgreSQL server of the tests' own, in a temporary folder and on a port of loopback."""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

# Its signs have to be escaped in an address, and it is looked for in all that is kept.
PASSWORD = "c4nary/p@ss%20word"  # noqa: S105
USER = "foundry"
_DEBIAN = Path("/usr/lib/postgresql")
_HOST = "127.0.0.1"
_UNPRIVILEGED = "postgres"  # the server refuses to run as root


def program(name: str) -> Path:
    """A program of the server, on the path, where `pg_config` says, or where Debian puts them."""
    found = shutil.which(name)
    on_path = [Path(found).parent] if found else []
    folders = [*on_path, *_named(), *sorted(_DEBIAN.glob("*/bin"), reverse=True)]
    return next(folder / name for folder in folders if (folder / name).exists())


def _named() -> list[Path]:
    if not shutil.which("pg_config"):
        return []
    told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    return [Path(told.stdout.strip())]


@dataclass
class Cluster:
    """A server with one user, who makes databases.

    Attributes:
        folder: of its files; whoever runs it as root makes it the unprivileged user's.
        port: on loopback.
    """

    folder: Path
    port: int

    @classmethod
    def make(cls, folder: Path) -> "Cluster":
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            port = probe.getsockname()[1]
        cluster = cls(folder, port)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(folder, _UNPRIVILEGED)
            shutil.chown(secret, _UNPRIVILEGED)
        options = ["-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync"]
        cluster._run("initdb", "-D", str(folder / "data"), *options)
        secret.unlink()
        cluster.start()
        return cluster

    def start(self) -> None:
        where = f"-p {self.port} -h {_HOST} -k {self.folder}"
        self._control("start", "-l", str(self.folder / "log"), "-o", where)

    def stop(self) -> None:
        """As an operator does: connections are broken off."""
        self._control("stop", "-m", "fast")

    def restart(self) -> None:
        self.stop()
        self.start()

    def new_database(self, name: str) -> str:
        """The address of a fresh database."""
        command = [str(program("createdb")), "-h", _HOST, "-p", str(self.port), "-U", USER, name]
        subprocess.run(command, env=os.environ | {"PGPASSWORD": PASSWORD}, check=True)
        return self.address(name)

    def address(self, name: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{quote(password, safe='')}@{_HOST}:{self.port}/{name}"

    def _control(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, "-D", str(self.folder / "data"), "-w", *options)

    def _run(self, name: str, *arguments: str) -> None:
        other = ["setpriv", f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}", "--clear-groups"]
        command = [*(other if os.geteuid() == 0 else []), str(program(name)), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
