"""Who works shards of rows, as a recipe and the environment say."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import psutil

from blip_core.errors import CheckpointError, PlaceError
from blip_core.execution import Executor, Serial, Sparing
from blip_core.execution.cores import usable_cores
from blip_core.prefetching import used_checkpoints
from blip_core.recipes import Checkpoint, Device, Recipe
from blip_core.wiring.checkpoints import folder_of
from blip_core.wiring.devices import device_of
from blip_core.wiring.environment import library_environment

if TYPE_CHECKING:
    from blip_core.execution.pool import Launcher

_PLACES = ("FOUNDRY_HOME", "FOUNDRY_STORE", "FOUNDRY_MODELS")
"""Where a worker finds what the run does, unless its own machine says otherwise; none of them is a secret."""

_NO_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
_SECONDS = 60.0
_WORKER_BYTES = 800_000_000  # resident with a bundled model at work
_COPIES = 2  # weights are copied where their type changes, and what a batch takes is below that


def build_executor(recipe: Recipe) -> Executor:
    """The executor that a recipe names.

    Raises:
        PlaceError: It names Ray, which is not installed; or the environment names no cluster, or one that is
            not there or refuses us.
    """
    device = recipe.device
    if device.executor == "auto":
        workers = local_workers(recipe).count
        return Sparing(lambda: _processes(recipe, workers)) if workers > 1 else Serial()
    if device.executor == "processes":
        return _processes(recipe, local_workers(recipe).count)
    if device.executor == "ray":
        return _pool(_ray_actors(device), device.sharing, device)
    return Serial()


@dataclass(frozen=True, slots=True)
class Workers:
    """Processes of this machine that work a recipe's shards.

    Attributes:
        count: of them; one where `auto` leaves all to the run itself.
        bytes_each: main memory of one, its model within where that is not on a GPU.
        held: how many the memory that is free now holds.
        on_gpu: whether their models are on GPUs.
    """

    count: int
    bytes_each: int
    held: int
    on_gpu: bool


def local_workers(recipe: Recipe) -> Workers:
    """Who works where `device.executor` is `auto` or `processes`.

    `auto` takes as many as asked for, or one a core, as far as memory holds them, and leaves a GPU to the
    run; `processes` takes one a GPU, else one a core, where no number is asked for.
    """
    device = recipe.device
    each = _bytes_a_worker(recipe)
    held = int(psutil.virtual_memory().available) // each
    if device.executor == "processes":
        gpus = _gpus(recipe)
        return Workers(device.workers or len(gpus) or usable_cores(), each, held, bool(gpus))
    if _is_on_gpu(recipe):
        return Workers(1, each, held, on_gpu=True)
    return Workers(max(1, min(device.workers or usable_cores(), held)), each, held, on_gpu=False)


def _is_on_gpu(recipe: Recipe) -> bool:
    return recipe.device.kind != "cpu" and device_of(recipe) != "cpu"  # the first needs no torch to know


def _bytes_a_worker(recipe: Recipe) -> int:
    """Main memory of a worker: the largest model, copied, and what every worker has."""
    return _WORKER_BYTES + _COPIES * max(
        map(_bytes_of, {one for _, one in used_checkpoints(recipe)}), default=0
    )


def _bytes_of(checkpoint: Checkpoint) -> int:
    """Size of a checkpoint's weights; none where it is not here, of which the stage that loads it tells."""
    try:
        folder = folder_of(checkpoint)
    except CheckpointError:
        return 0
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def _processes(recipe: Recipe, workers: int) -> Executor:
    from blip_core.execution.processes import LocalProcesses

    environment = {**library_environment(), "OMP_NUM_THREADS": str(recipe.device.threads)}
    return _pool(LocalProcesses(environment, _gpus(recipe)), workers, recipe.device)


def _pool(launcher: "Launcher", workers: int, device: Device) -> Executor:
    from blip_core.execution.pool import Pool

    return Pool(launcher, workers, device.shard_minutes * _SECONDS)


def _gpus(recipe: Recipe) -> list[dict[str, str]]:
    """The GPU that each process sees, by turns; nothing where models run on the CPU."""
    if not _is_on_gpu(recipe):
        return []
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    gpus = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus]


def check_executor(recipe: Recipe) -> None:
    """Make sure, before any work is begun, that the cluster is there that a recipe needs.

    Raises:
        PlaceError: Ray is not installed, the environment names no cluster, or that is away or refuses us.
    """
    if recipe.device.executor == "ray":
        address = _ray_address()
        _ray().check_cluster(address)


def _ray_actors(device: Device) -> "Launcher":
    gpus = device.worker_gpus if device.kind == "cuda" else 0.0
    address = _ray_address()
    actors: Launcher = _ray().RayActors(address, device.worker_cpus or float(device.threads), gpus)
    return actors


def _ray_address() -> str:
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        raise PlaceError(
            "device.executor is ray, and RAY_ADDRESS names no cluster: set it to the HOST:PORT of one that "
            "runs; `make cluster` starts one on this machine"
        )
    return address


def _ray() -> ModuleType:
    """The file that knows Ray, which is loaded where a recipe names it."""
    for name, value in _NO_STATISTICS.items():
        os.environ.setdefault(name, value)
    try:
        from blip_core.execution import ray_actors
    except ModuleNotFoundError as error:
        raise PlaceError(
            "device.executor is ray, and the package ray is not installed: pip install 'blip-foundry[ray]', "
            "or take device.executor=processes"
        ) from error
    return ray_actors


def worker_places() -> dict[str, str]:
    """Where workers elsewhere find what this run does, as far as the environment says."""
    return {name: os.environ[name] for name in _PLACES if os.environ.get(name)}


def take_places(places: Mapping[str, str]) -> None:
    """Work where the run does, unless this machine's environment says where."""
    for name, value in places.items():
        os.environ.setdefault(name, value)
