"""Tuning at the published size on a GPU: speed and memory of every stage, and of the sources' loop.

Nothing is downloaded: the model is random, and made where it runs. The same functions run on a CPU at tiny
size, in tests.
"""

import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from blip_core.inference.prompting import answer_prompt
from blip_core.modeling import Blip2Bundle
from blip_core.modeling.features import VisionCache, VisionStates, distinct_pictures
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.quantisation import Quantisation
from blip_core.planning.footprint import Footprint
from blip_core.planning.stages import CUBLAS_WORKSPACE_BYTES
from blip_core.planning.tuning import TrainingRows, tune
from blip_core.recipes import load_recipe
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training import TrainingResult, finetune
from tests.benchmarks import device as on
from tests.benchmarks import measuring
from tests.benchmarks.oracle_finetune import BATCH_SIZE, OracleSettings, TextRow, tune_through_pixels
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import make_random_blip2, prepared_config
from tests.benchmarks.shapes import SHAPES

LETTER_TOKENS = 2  # a letter and the end


@dataclass(frozen=True, slots=True)
class GpuCase:
    """What is measured, and how long.

    Attributes:
        size: of the model.
        device: `cuda`, or `cpu` in tests.
        quantisation: of its language model.
        dtype: of all else but the Q-Former.
        pictures: distinct ones.
        questions: about each.
        picture_px: their side.
        batch_size: rows a step where speed is measured.
        steps: that are timed, after `warm_up` more.
        warm_up: steps that are not timed.
        oracle_steps: timed steps of the sources' loop.
        matmul_side: of the matrices that give the device's rate.
        small_batch: rows a step where memory is measured.
        text_tokens: of every row there, the picture not counted.
    """

    size: str = "flan-t5-xl"
    device: str = "cuda"
    quantisation: Quantisation = "nf4"
    dtype: str = "bfloat16"
    pictures: int = 64
    questions: int = 4
    picture_px: int = 384
    batch_size: int = 64
    steps: int = 30
    warm_up: int = 5
    oracle_steps: int = 20
    matmul_side: int = 8192
    small_batch: int = 8
    text_tokens: int = 128

    def examples(self) -> list[Example]:
        return random_examples(self.pictures, self.questions, self.picture_px)

    def make(self) -> Blip2Bundle:
        """The model, anew: tuning changes it."""
        gc.collect()
        return make_random_blip2(SHAPES[self.size], self.quantisation, self.device, self.dtype)

    def settings(self, batch_size: int, steps: int, **changes: object) -> Finetune:
        """The gallery recipe's tuning for so many steps, letters only, so that every row is of one kind."""
        steps_an_epoch = -(-self.pictures * self.questions // batch_size)
        return load_recipe("gallery-vqa").finetune.model_copy(
            update={
                "quantisation": self.quantisation,
                "epochs": steps / steps_an_epoch,
                "batch_size": batch_size,
                "describe_share": 0.0,
                **changes,
            }
        )


@dataclass(slots=True)
class StepClock:
    """Time of a step's end, to tell the steps after the warm-up from those before."""

    device: str
    ends: list[float]

    def __call__(self, step: int, *_: object) -> None:
        if step:
            on.wait_for(self.device)
            self.ends.append(time.perf_counter())

    def seconds_a_step(self, warm_up: int) -> float:
        timed = self.ends[warm_up - 1 :]
        return (timed[-1] - timed[0]) / (len(timed) - 1)


def encode_pictures(bundle: Blip2Bundle, case: GpuCase) -> tuple[VisionCache, dict[str, Any]]:
    """Fill a cache of vision states: the states, and how fast and how large that was."""
    states = VisionCache(bundle, batch_size=8)
    examples = case.examples()
    with on.peak_memory(case.device) as peak:
        seconds = on.seconds_on(case.device, lambda: states.add(examples))
    rate = len(distinct_pictures(examples)) / seconds
    return states, {
        "what": "vision tower, 8 pictures a batch",
        "samples_per_second": round(rate, 1),
        "peak_gb": rounded(peak.gb),
    }


def train(
    bundle: Blip2Bundle,
    examples: Sequence[Example],
    settings: Finetune,
    prompts: Inference,
    states: VisionStates,
    case: GpuCase,
) -> tuple[TrainingResult, float, float | None]:
    """Tune: the result, seconds a step after the warm-up, and the most memory that was allocated, GB."""
    clock = StepClock(case.device, [])
    with tempfile.TemporaryDirectory() as place, on.peak_memory(case.device) as peak:
        result = finetune(bundle, examples, [], settings, prompts, 0, Path(place), clock, states=states)
    return result, clock.seconds_a_step(case.warm_up), peak.gb


def kept_features_speed(case: GpuCase, tflops: float | None) -> list[dict[str, Any]]:
    """Encoding every picture once, then training on what is kept."""
    bundle = case.make()
    states, encoding = encode_pictures(bundle, case)
    settings = case.settings(case.batch_size, case.warm_up + case.steps, features="cached")
    return [encoding, _speed("kept features", bundle, settings, states, case, tflops)]


def fresh_features_speed(case: GpuCase, tflops: float | None) -> dict[str, Any]:
    """Training that sends every picture through the tower in every step."""
    bundle = case.make()
    settings = case.settings(case.batch_size, case.warm_up + case.steps, features="fresh")
    return _speed("pixels in every step", bundle, settings, FreshVisionStates(bundle), case, tflops)


def _speed(
    what: str,
    bundle: Blip2Bundle,
    settings: Finetune,
    states: VisionStates,
    case: GpuCase,
    tflops: float | None,
) -> dict[str, Any]:
    result, seconds, peak = train(bundle, case.examples(), settings, prompt_settings(), states, case)
    rate = case.batch_size / seconds
    tokens = result.counts.tokens / (result.steps * case.batch_size)
    flops = planned(case, settings, case.batch_size, round(tokens)).work.flops / case.batch_size
    return {
        "what": f"training, {what}, {case.batch_size} rows a batch",
        "samples_per_second": round(rate, 1),
        "tokens_per_second": round(rate * tokens),
        "share_of_peak": round(rate * flops / (tflops * 1e12), 3) if tflops else None,
        "peak_gb": rounded(peak),
    }


def planned(case: GpuCase, settings: Finetune, rows: int, tokens: int) -> Footprint:
    """What the planner says of a pass over rows of so many tokens, image tokens and target among them."""
    return _planned(case.size, settings.model_dump_json(), rows, tokens, case.device)


@cache
def _planned(size: str, settings: str, rows: int, tokens: int, device: str) -> Footprint:
    config = prepared_config(SHAPES[size])
    text = max(1, tokens - config.num_query_tokens - LETTER_TOKENS)
    where: Any = "cuda" if device == "cuda" else "cpu"
    asked = Finetune.model_validate_json(settings)
    return tune(config, asked, TrainingRows(rows, text, LETTER_TOKENS), where)


def small_card_memory(case: GpuCase) -> dict[str, Any]:
    """Peak of training for a small card: few rows, all of one length, activations computed twice.

    Returns:
        The stage, with what the planner says of it in `planned_gb`.
    """
    examples = [replace(one, question=f"{one.question} " * case.text_tokens) for one in case.examples()]
    settings = case.settings(
        case.small_batch, case.warm_up + 2, max_text_tokens=case.text_tokens, gradient_checkpointing=True
    )
    bundle = case.make()
    states, _ = encode_pictures(bundle, case)
    _, seconds, peak = train(bundle, examples, settings, prompt_settings(), states, case)
    tokens = case.text_tokens + bundle.query_count + LETTER_TOKENS
    footprint = planned(case, settings, case.small_batch, tokens).keeping(CUBLAS_WORKSPACE_BYTES)
    return {
        "what": f"training, kept features, {case.small_batch} rows of {case.text_tokens} tokens, "
        "activations computed twice",
        "samples_per_second": round(case.small_batch / seconds, 1),
        "peak_gb": rounded(peak),
        "planned_gb": round(footprint.total / on.GIGABYTE, 2),
    }


def oracle_speed(case: GpuCase) -> dict[str, Any]:
    """The sources' loop, three rows a step."""
    bundle = case.make()
    examples, prompts = case.examples(), prompt_settings()
    rows = [
        TextRow(example.image, answer_prompt(prompts, example, example.description), example.answer)
        for example in examples
    ]
    steps = case.warm_up + case.oracle_steps
    batches = [
        [rows[(BATCH_SIZE * step + place) % len(rows)] for place in range(BATCH_SIZE)]
        for step in range(steps)
    ]
    settings = OracleSettings(32, 64.0, 0.1, 5e-4, 0, 1.0, 0)
    clock = StepClock(case.device, [])
    with on.peak_memory(case.device) as peak:
        tune_through_pixels(bundle.model, bundle.processor, batches, settings, clock)
    rate = BATCH_SIZE / clock.seconds_a_step(case.warm_up)
    return {
        "what": f"the sources' loop, {BATCH_SIZE} rows a batch",
        "samples_per_second": round(rate, 1),
        "peak_gb": rounded(peak.gb),
    }


def rounded(gb: float | None) -> float | None:
    """For a report: nothing where the device does not tell."""
    return None if gb is None else round(gb, 2)


def measure_on(case: GpuCase) -> dict[str, Any]:
    """All figures of a device."""
    tflops = on.matmul_tflops(case.device, case.matmul_side, repeats=10)
    stages = [
        *kept_features_speed(case, tflops),
        fresh_features_speed(case, tflops),
        small_card_memory(case),
        oracle_speed(case),
    ]
    _, cached, *_, oracle = (stage["samples_per_second"] for stage in stages)
    return {
        "device": on.device_name(case.device),
        "versions": measuring.versions(),
        "size": case.size,
        "quantisation": case.quantisation,
        "matmul_tflops": round(tflops, 2),
        "samples_per_second": cached,
        "ratio": round(cached / oracle, 1),
        "stages": stages,
    }


def measure_on_gpu() -> dict[str, Any]:
    """All figures of this machine's GPU, at the published size.

    Raises:
        SystemExit: There is no GPU.
    """
    if not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here; without --gpu the CPU is measured")
    return measure_on(GpuCase())
