import sys
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest

from blip_core.errors import TrackingError
from blip_core.tracking.system_metrics import Gauges, SystemSampler

FOREVER = 3600.0


class NvmlError(Exception):
    """As NVIDIA's library raises it."""


class NotSupported(NvmlError):
    """As it is raised for what a card does not tell."""


def two_gpus():
    """Stands in for NVIDIA's library on a machine whose second GPU is a slice without a load of its own."""
    library = Mock(NVMLError=NvmlError, NVMLError_NotSupported=NotSupported)
    library.nvmlDeviceGetCount.return_value = 2
    library.nvmlDeviceGetHandleByIndex.side_effect = lambda index: index
    library.nvmlDeviceGetMemoryInfo.side_effect = [
        SimpleNamespace(used=used, total=8_000_000_000) for used in (2_000_000_000, 4_000_000_000)
    ]
    library.nvmlDeviceGetUtilizationRates.side_effect = [SimpleNamespace(gpu=93), NotSupported()]
    return library


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "system-metrics"]


@pytest.mark.usefixtures("no_gpu")
def test_gauges_bear_the_names_that_mlflow_gives_them():
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor

    monitor = CPUMonitor()
    monitor.collect_metrics()
    values = Gauges().read()
    assert {f"system/{name}" for name in monitor.aggregate_metrics()} < values.keys()
    assert 0 <= values["system/cpu_utilization_percentage"] <= 100
    assert 0 < values["system/process_memory_usage_megabytes"] <= psutil.virtual_memory().total / 1e6


def test_each_gpu_tells_its_memory_and_its_load_if_it_has_one(monkeypatch):
    nvml = two_gpus()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    gauges = Gauges()
    told = {name: value for name, value in gauges.read().items() if "gpu" in name}
    gauges.close()
    assert told == {
        "system/gpu_0_memory_usage_megabytes": 2000.0,
        "system/gpu_0_memory_usage_percentage": 25.0,
        "system/gpu_0_utilization_percentage": 93.0,
        "system/gpu_1_memory_usage_megabytes": 4000.0,
        "system/gpu_1_memory_usage_percentage": 50.0,
    }
    assert [nvml.nvmlInit.call_count, nvml.nvmlShutdown.call_count] == [1, 1]


def test_a_library_that_finds_no_driver_is_no_error(monkeypatch):
    nvml = two_gpus()
    nvml.nvmlInit.side_effect = NvmlError()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert not [name for name in Gauges().read() if "gpu" in name]


@pytest.mark.usefixtures("no_gpu")
def test_readings_are_numbered_and_the_thread_ends_with_the_stage():
    recorded, third = [], threading.Event()

    def record(values, step):
        recorded.append(step)
        if step == 2:
            third.set()

    sampler = SystemSampler(record, every_seconds=0.001).start()
    assert third.wait(30)
    sampler.stop()
    sampler.stop()
    assert recorded == list(range(len(recorded)))
    assert not alive()


@pytest.mark.usefixtures("no_gpu")
def test_a_short_stage_is_read_once():
    recorded = []
    SystemSampler(lambda values, step: recorded.append(step), FOREVER).start().stop()
    assert recorded == [0]


@pytest.mark.usefixtures("no_gpu")
def test_a_journal_that_cannot_be_written_ends_the_readings_and_says_so(caplog):
    def full(values, step):
        raise TrackingError("the disk is full")

    sampler = SystemSampler(full, every_seconds=0.001).start()
    sampler._thread.join(30)
    sampler.stop()
    assert "No more system metrics are recorded: the disk is full" in caplog.text
