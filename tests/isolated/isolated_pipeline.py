"""The pocket pipeline where no other machine can be reached, with every address that anything asked for.

It runs in a network namespace that holds nothing but loopback, below strace, which writes down whom each
process wants to reach, whether it could or not. `make test-isolated` brings both tools.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.shortened import SHORT

ROOT = Path(__file__).parents[2]
CALLS = "connect,sendto,sendmsg,sendmmsg"
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')

AS_ROOT = ("unshare", "--net")
AS_ANYBODY = ("unshare", "--user", "--map-root-user", "--net")  # where the kernel lets people have namespaces


def alone() -> tuple[str, ...]:
    """The command that gives a process a network of its own."""
    for command in (AS_ROOT, AS_ANYBODY):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.fail(
        "no network namespace can be made here: run as root (in a container: with CAP_SYS_ADMIN), or allow "
        "them with sysctl kernel.unprivileged_userns_clone=1"
    )


def traced(command: Iterable[str], trace: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with loopback alone; who was to be reached stands in a file."""
    for tool in ("strace", "ip"):
        assert shutil.which(tool), f"{tool} is not here: make test-isolated installs it"
    watched = f'ip link set lo up && exec strace -f --seccomp-bpf -qq -e trace={CALLS} -o "$0" "$@"'
    environment = {"PATH": os.environ["PATH"], "HOME": str(home.parent), "FOUNDRY_HOME": str(home)}
    return subprocess.run(
        [*alone(), "sh", "-c", watched, str(trace), *command],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def others(trace: Path) -> set[str]:
    """Addresses in a trace that are not this machine."""
    with trace.open(errors="replace") as lines:
        named = {four or six for line in lines for four, six in _ADDRESS.findall(line)}
    return {address for address in named if not ip_address(address).is_loopback}


def test_an_attempt_to_leave_is_written_down(tmp_path: Path):
    leaves = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    done = traced([sys.executable, "-c", leaves], tmp_path / "trace", tmp_path / "home")
    assert done.returncode != 0
    assert "unreachable" in done.stderr
    assert others(tmp_path / "trace") == {"192.0.2.1"}


def test_the_pocket_pipeline_asks_no_other_machine(tmp_path: Path):
    foundry = [sys.executable, "-m", "flows.cli.app"]
    changed = [word for one in SHORT for word in ("--set", one)]
    trace = tmp_path / "trace"
    done = traced([*foundry, "run", "gallery-vqa", "--json", *changed], trace, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["variants"]) == {"baseline", "flan-t5", "finetuned"}
    assert "127.0.0.1" in trace.read_text(errors="replace")  # Prefect's embedded server was asked
    assert others(trace) == set()
