"""Executes runs that the Prefect page, its schedules or its API start: a worker of our work pool."""

import os
import socket
import sys

from blip_core.wiring import prepare_environment, use_prefect_api, workplace
from blip_core.wiring.servers import WORK_POOL, prefect_api

TAKEN_AT_ONCE = 4  # one of them works, see flows.limits; late runs of a schedule are taken to be cancelled


def worker_command() -> list[str]:
    """The command that starts the worker; named after this machine, so that a restart is no second one."""
    start = [sys.executable, "-m", "prefect", "worker", "start", "--install-policy", "never"]
    pool = ["--pool", WORK_POOL, "--type", "process", "--limit", str(TAKEN_AT_ONCE)]
    return [*start, *pool, "--name", socket.gethostname()]


def main() -> None:
    """Become the worker, in an environment that the runs inherit."""
    place = workplace()
    prepare_environment(place)
    use_prefect_api(prefect_api(place))
    command = [*worker_command(), *sys.argv[1:]]  # such as --with-healthcheck
    os.execv(command[0], command)  # noqa: S606 - arguments of our own


if __name__ == "__main__":
    main()
