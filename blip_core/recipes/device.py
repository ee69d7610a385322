"""What the models run on."""

from typing import Literal

from pydantic import Field

from blip_core.recipes.base import Section

ACTORS = 2  # of a cluster, where a recipe names no number


class Device(Section):
    """The hardware a profile is made for."""

    kind: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run; auto takes a GPU where there is one."""
    threads: int = Field(default=2, ge=1, le=1024)
    """Threads of a CPU that models run on; another number gives other last bits, as sums are shared out."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that tune together, each with a GPU of its own or a share of the CPU."""
    executor: Literal["auto", "serial", "processes", "ray"] = "auto"
    """Who works shards: this process, local ones, or a Ray cluster's actors; auto: local ones on a CPU."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Processes or actors, each with models of its own; 0 for a process a GPU or core, or two actors."""
    worker_cpus: float = Field(default=0.0, ge=0.0, le=1024.0)
    """CPUs that an actor takes of a Ray cluster; 0 for as many as `threads`."""
    worker_gpus: float = Field(default=1.0, ge=0.0, le=64.0)
    """GPUs that an actor takes of a Ray cluster where `kind` is cuda; a share lets several stand on one."""
    shard_minutes: float = Field(default=240.0, gt=0.0, le=100_000.0)
    """A worker that is at one shard for longer is ended, and the shard worked by another."""

    @property
    def sharing(self) -> int:
        """Workers that a recipe names for shards; one where the machine that it runs on decides."""
        if self.executor == "ray":
            return self.workers or ACTORS
        return self.workers or 1 if self.executor == "processes" else 1

    def arithmetic(self) -> dict[str, int]:
        """What of the hardware decides the last bits of what models compute: part of every key of theirs."""
        return {} if self.kind == "cuda" else {"threads": self.threads}
