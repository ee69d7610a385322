"""Tuning flan-t5-xl: memory against the plan, speed by features, and the sources' loop beside it."""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from blip_core.modeling.features import VisionCache
from blip_core.modeling.stored_features import TOWER_BATCH
from blip_core.training import finetune
from tests.benchmarks import device as on
from tests.benchmarks import gpu_finetune
from tests.gpu.report import claims, recipes
from tests.gpu.report.setting import Figures, Setting


def measure(setting: Setting) -> Iterator[Figures]:
    """Making the model, a small card's step, then both sides in ABBA order."""
    case = setting.sizes.tuning
    yield _making(case)
    step = gpu_finetune.small_card_memory(case)
    yield step
    yield from _memory_claims(step)
    ours, oracle = [], []
    encoding, kept = gpu_finetune.kept_features_speed(case, setting.tflops)
    yield encoding
    yield kept
    ours.append(kept["samples_per_second"])
    for _ in range(2):
        loop = gpu_finetune.oracle_speed(case)
        yield loop
        oracle.append(loop["samples_per_second"])
    _, again = gpu_finetune.kept_features_speed(case, setting.tflops)
    yield again
    ours.append(again["samples_per_second"])
    yield {
        "what": "kept features against the sources' loop, measured as ABBA",
        "ratio": round(statistics.mean(ours) / statistics.mean(oracle), 1),
    }
    yield gpu_finetune.fresh_features_speed(case, setting.tflops)
    for profile, _ in setting.sizes.recipe.profiles:
        yield _as_a_profile_asks(profile, setting)


def _making(case: gpu_finetune.GpuCase) -> Figures:
    with on.peak_memory(case.device) as peak:
        seconds = on.seconds_on(case.device, case.make)
    figures = {"what": f"making {case.size} where it runs, its language model in {case.quantisation}"}
    return figures | {"seconds": round(seconds, 1), "peak_gb": gpu_finetune.rounded(peak.gb)}


def _memory_claims(step: Figures) -> Iterator[Figures]:
    """On a CPU nobody knows a peak, and nothing is claimed."""
    if step["peak_gb"] is None:
        return
    yield claims.at_most("peak of that step, GB", step["peak_gb"], claims.SMALL_CARD_GB)
    apart = abs(step["planned_gb"] - step["peak_gb"]) / step["peak_gb"]
    yield claims.at_most("what `foundry plan` says of it, apart by", round(apart, 3), claims.PLAN_TOLERANCE)


def _as_a_profile_asks(profile: str, setting: Setting) -> Figures:
    """Rows a second with a profile's own settings: what `foundry plan` may promise."""
    case, recipe = setting.sizes.tuning, recipes.of(profile, setting)
    asked = recipe.finetune
    bundle, examples = case.make(), case.examples()
    states = VisionCache(bundle, TOWER_BATCH)
    states.add(examples)
    an_epoch = -(-len(examples) // asked.batch_size)
    settings = asked.model_copy(
        update={
            "epochs": (case.warm_up + setting.sizes.recipe.steps) / an_epoch,
            "base": recipe.finetune.base,
        }
    )
    clock = gpu_finetune.StepClock(case.device, [])
    with tempfile.TemporaryDirectory() as place, on.peak_memory(case.device) as peak:
        finetune(bundle, examples, [], settings, recipe.inference, 0, Path(place), clock, states=states)
    rate = len(examples) / an_epoch / clock.seconds_a_step(case.warm_up)
    return {
        "what": f"training as the profile {profile} asks, {asked.batch_size} rows a batch",
        "samples_per_second": round(rate, 1),
        "peak_gb": gpu_finetune.rounded(peak.gb),
        **recipes.rate("finetune", recipe, rate),
    }
