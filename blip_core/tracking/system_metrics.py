"""How busy the machine is while a stage runs, under the names that MLflow's page shows as system metrics."""

import importlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

import psutil

from blip_core.errors import TrackingError

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 5.0
_MEGABYTE = 1_000_000  # as MLflow counts them

Record = Callable[[Mapping[str, float], int], None]


class Gauges:
    """Reads CPU and memory, and the memory and load of NVIDIA GPUs where `nvidia-ml-py` (extra `gpu`) is."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._nvml = _open_nvml()
        psutil.cpu_percent()  # the load is that since the call before

    def read(self) -> dict[str, float]:
        """Values by metric name; the CPU's load, in per cent of all cores, is that since the last reading."""
        memory = psutil.virtual_memory()
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": memory.used / _MEGABYTE,
            "system/system_memory_usage_percentage": memory.percent,
            "system/process_memory_usage_megabytes": self._process.memory_info().rss / _MEGABYTE,
            **self._read_gpus(),
        }

    def close(self) -> None:
        if self._nvml is not None:
            self._nvml.nvmlShutdown()

    def _read_gpus(self) -> dict[str, float]:
        if self._nvml is None:
            return {}
        values: dict[str, float] = {}
        for index in range(self._nvml.nvmlDeviceGetCount()):
            values |= _read_gpu(self._nvml, index)
        return values


class SystemSampler:
    """A thread that records gauges every few seconds, and once more when it is stopped.

    Args:
        record: told the values, and how many readings came before.
        every_seconds: between two readings.
    """

    def __init__(self, record: Record, every_seconds: float = SAMPLE_SECONDS) -> None:
        self._record = record
        self._every_seconds = every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system-metrics", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread; what it has read is recorded. Stopping again does nothing."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        gauges = Gauges()
        try:
            self._sample(gauges)
        except TrackingError as error:  # the run meets the same at its next entry, and says so itself
            logger.warning("No more system metrics are recorded: %s", error)
        finally:
            gauges.close()

    def _sample(self, gauges: Gauges) -> None:
        step = 0
        while not self._over.wait(self._every_seconds):
            self._record(gauges.read(), step)
            step += 1
        self._record(gauges.read(), step)


def _open_nvml() -> Any:
    """NVIDIA's library; None where it is not installed or finds no driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ModuleNotFoundError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _read_gpu(nvml: Any, index: int) -> dict[str, float]:
    """Memory and load of one GPU; what a card does not tell is left out."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    values: dict[str, float] = {}
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        values[f"system/gpu_{index}_memory_usage_megabytes"] = memory.used / _MEGABYTE
        values[f"system/gpu_{index}_memory_usage_percentage"] = 100 * memory.used / memory.total
        load = nvml.nvmlDeviceGetUtilizationRates(handle).gpu
        values[f"system/gpu_{index}_utilization_percentage"] = float(load)
    except nvml.NVMLError_NotSupported:  # slices of a card have no load of their own
        return values
    return values
