"""The process between whoever asks and those that work: torch's elastic launcher.

Run as `python -m blip_core.launching.agent MODULE PROCESSES FOLDER [--one-gpu-each]`; it starts
`python -m MODULE FOLDER RANK` as often as asked. Torch is imported in here, and nothing of its family.
"""

import sys
from pathlib import Path
from typing import Any

from blip_core.launching.folder import LIFELINE, LOGS, RENDEZVOUS, write_failures
from blip_core.launching.lifeline import end_with

_SECONDS_TO_END = 5  # those who wait for one that failed


def launch(folder: Path, processes: int, module: str, one_gpu_each: bool) -> bool:
    """Whether all processes ended well; once one has failed, the others are ended.

    They find each other through files of the folder: no port is opened for it. Where each has a GPU of its
    own, it sees no other, and that one is its first.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=folder.name,
        rdzv_backend="c10d",
        rdzv_endpoint=str(folder / RENDEZVOUS),
        rdzv_configs={"store_type": "file"},
        max_restarts=0,
        local_addr="localhost",
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / LOGS), redirects=Std.ALL),
        virtual_local_rank=one_gpu_each,
        **_ending(LaunchConfig),
    )
    try:
        # The launcher writes each process's number in the place of the macro.
        elastic_launch(config, sys.executable)("-u", "-m", module, str(folder), "${local_rank}")
    except ChildFailedError as error:
        write_failures(folder, {rank: failure.exitcode for rank, failure in error.failures.items()})
        return False
    return True


def _ending(config: type) -> dict[str, Any]:
    """How long processes may take to end; torch 2.11 has no word for it, and waits half a minute."""
    return {"shutdown_timeout": _SECONDS_TO_END} if hasattr(config, "shutdown_timeout") else {}


def main() -> None:
    module, processes, folder, *options = sys.argv[1:]
    end_with(Path(folder) / LIFELINE)
    is_done = launch(Path(folder), int(processes), module, one_gpu_each="--one-gpu-each" in options)
    sys.exit(0 if is_done else 1)


if __name__ == "__main__":
    main()
