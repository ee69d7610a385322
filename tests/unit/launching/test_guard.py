"""Processes that a command started end with it, however it ends."""

import os
import select
import signal
import subprocess
import sys

import pytest

from blip_core.launching.guard import ProcessGroups

pytestmark = pytest.mark.slow

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def is_running(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_leaving_the_context_ends_the_members(tmp_path):
    with ProcessGroups() as groups, (tmp_path / "log").open("wb") as log:
        groups.start("sleeper", SLEEPER, dict(os.environ), log)
        member = groups.members["sleeper"].pid
        assert groups.ended() == ""
    assert not is_running(member)


def test_what_a_member_started_in_a_group_of_its_own_ends_with_it(tmp_path):
    starter = tmp_path / "starter.py"
    starter.write_text(
        "import subprocess, time\n"
        f"child = subprocess.Popen({SLEEPER!r}, stdout=subprocess.DEVNULL, start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    log = tmp_path / "log"
    with ProcessGroups() as groups, log.open("wb") as output:
        groups.start("starter", [sys.executable, str(starter)], dict(os.environ), output)
        while not log.read_text().endswith("\n"):
            assert groups.ended() == ""
        child = int(log.read_text())
    wait_for(child)
    assert not is_running(child)


def test_members_end_when_their_owner_is_killed(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(
        "import os, sys, time\n"
        "from blip_core.launching.guard import ProcessGroups\n"
        "with ProcessGroups() as groups, open(os.devnull, 'wb') as log:\n"
        f"    groups.start('sleeper', {SLEEPER!r}, dict(os.environ), log)\n"
        "    print(groups.members['sleeper'].pid, groups._lifeline._guard.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        member, guard = map(int, owner.stdout.readline().split())
        owner.send_signal(signal.SIGKILL)
    wait_for(guard)
    assert not is_running(member)


def wait_for(process: int) -> None:
    """Wait for a process that is nobody's child any more."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)
