"""Where time goes: the operations that take most of it, while tuning and while answering."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch.profiler import ProfilerActivity, profile

from blip_core.inference import predict
from blip_core.modeling.features import VisionCache
from blip_core.modeling.stored_features import TOWER_BATCH
from tests.benchmarks import device as on
from tests.benchmarks import gpu_finetune
from tests.benchmarks.questions import prompt_settings
from tests.gpu.report.setting import Figures, Setting

_SHOWN = 12  # operations of each


def measure(setting: Setting) -> Iterator[Figures]:
    """Some steps of tuning, then some rows answered."""
    yield from _table("tuning", _tuning(setting), setting.device)
    yield from _table("answering", _answering(setting), setting.device)


def _tuning(setting: Setting) -> Callable[[], object]:
    case, steps = replace(setting.sizes.tuning, warm_up=1), setting.sizes.profiled_steps
    bundle = case.make()
    states = VisionCache(bundle, TOWER_BATCH)
    states.add(case.examples())
    settings = case.settings(case.batch_size, steps, features="cached")
    prompts, examples = prompt_settings(), case.examples()
    return lambda: gpu_finetune.train(bundle, examples, settings, prompts, states, case)


def _answering(setting: Setting) -> Callable[[], object]:
    case = setting.sizes.answering
    bundle, rows = case.make(case.dtype), setting.sizes.profiled_rows
    settings = prompt_settings(
        max_new_tokens=case.description_tokens, batch_size=case.batch_size, free_generation=False
    )
    predict(bundle, case.examples(rows), settings, "warm-up")
    return lambda: predict(bundle, case.examples(rows), settings, "profiled")


def _table(what: str, work: Callable[[], object], device: str) -> Iterator[Figures]:
    """Operations by the time that they took on the device themselves, as shares of all such time."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as seen:
        seconds = on.seconds_on(device, work)
    spent = sorted(
        ((_self_us(event, device), event) for event in seen.key_averages()), key=lambda one: -one[0]
    )
    whole = sum(time for time, _ in spent)
    yield {"what": what, "seconds": round(seconds, 2), "share_of_time_busy": round(whole / 1e6 / seconds, 3)}
    for time, event in spent[:_SHOWN]:
        yield {
            "what": f"{what}: {event.key}",
            "share": round(time / whole, 4) if whole else 0.0,
            "calls": event.count,
            "milliseconds": round(time / 1e3, 2),
        }


def _self_us(event: Any, device: str) -> float:
    """Microseconds of an operation without those that it calls; on a GPU those of kernels alone."""
    if device != "cuda":
        return float(event.self_cpu_time_total)
    return float(event.self_device_time_total)
