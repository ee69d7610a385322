"""Answering at the published size on a GPU: rows a second, and whether bfloat16 gives the letters of float32.

Nothing is downloaded: the model is random, and made where it runs. The same functions run on a CPU at tiny
size, in tests.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from blip_core.inference import predict, predict_row_by_row
from blip_core.modeling import Blip2Bundle
from blip_core.modeling.features import VisionCache
from blip_core.modeling.quantisation import Quantisation
from blip_core.modeling.stored_features import TOWER_BATCH
from blip_core.records import Example, Prediction
from tests.benchmarks import device as on
from tests.benchmarks import measuring
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import make_random_blip2
from tests.benchmarks.shapes import SHAPES

_WARM_UP_PART = 8  # of the rows, so many times fewer are answered first, untimed


@dataclass(frozen=True, slots=True)
class GpuCase:
    """What is measured.

    Attributes:
        size: of the model.
        device: `cuda`, or `cpu` in tests.
        dtype: of the model that is timed.
        rows: that are answered, and so many times fewer by the oracle.
        oracle_rows: rows of the oracle.
        questions: about each picture.
        picture_px: their side.
        batch_size: our rows a batch.
        description_tokens: of every description.
        letter_rows: rows whose letters are compared with those of float32.
        margin_bound: rows whose best two letters are closer than this in float32 may flip.
    """

    size: str = "flan-t5-xl"
    device: str = "cuda"
    dtype: str = "bfloat16"
    rows: int = 2048
    oracle_rows: int = 16
    questions: int = 4
    picture_px: int = 384
    batch_size: int = 256
    description_tokens: int = 64
    letter_rows: int = 2048
    margin_bound: float = 0.02

    def make(self, dtype: str, quantisation: Quantisation = "none") -> Blip2Bundle:
        """The model in a type."""
        gc.collect()
        return make_random_blip2(SHAPES[self.size], quantisation, self.device, dtype)

    def examples(self, rows: int) -> list[Example]:
        """So many questions, neighbours about the same picture."""
        return random_examples(-(-rows // self.questions), self.questions, self.picture_px)[:rows]


def compare_letters(case: GpuCase) -> dict[str, Any]:
    """Rank letters in both types, the descriptions being given: stage two alone.

    Returns:
        Rows above the margin bound, the share of them whose letters agree, and every flip of any row with
        its margin in float32.
    """
    examples = [_told(one) for one in case.examples(case.letter_rows)]
    exact, rounded = (_rank(examples, dtype, case) for dtype in ("float32", case.dtype))
    pairs = list(zip(exact, rounded, strict=True))
    sure = [pair for pair in pairs if margin(pair[0]) > case.margin_bound]
    flips = [
        {"id": one.id, "margin": round(margin(one), 5)} for one, other in pairs if one.ranked != other.ranked
    ]
    agreeing = sum(one.ranked == other.ranked for one, other in sure)
    return {
        "rows": len(sure),
        "all_rows": len(pairs),
        "margin_bound": case.margin_bound,
        "agreeing_share": round(agreeing / len(sure), 5) if sure else None,
        "flips": flips,
    }


def margin(prediction: Prediction) -> float:
    """How far the best letter's probability is above the next."""
    best, second, *_ = sorted((prediction.p_a, prediction.p_b, prediction.p_c, prediction.p_d), reverse=True)
    return best - second


def _told(example: Example) -> Example:
    """With its description in the question, so that both types read the same."""
    return replace(example, question=f"{example.description} {example.question}")


def _rank(examples: Sequence[Example], dtype: str, case: GpuCase) -> list[Prediction]:
    settings = prompt_settings(describe_prompt="", free_generation=False, batch_size=case.batch_size)
    return predict(case.make(dtype), examples, settings, dtype)


def compare_speed(case: GpuCase) -> Iterator[dict[str, Any]]:
    """Rows a second, descriptions of full length: ours, the row-by-row way, ours on kept features."""
    bundle = case.make(case.dtype)
    settings = prompt_settings(
        max_new_tokens=case.description_tokens, batch_size=case.batch_size, free_generation=False
    )
    ours = partial(predict, bundle, settings=settings, variant="ours")
    oracle = partial(predict_row_by_row, bundle, settings=settings, variant="oracle")
    what = f"ours, up to {case.batch_size} rows a batch"
    yield answering_side(what, ours, case.rows, case)
    yield answering_side("row by row", oracle, case.oracle_rows, case)
    states = VisionCache(bundle, TOWER_BATCH)
    states.add(case.examples(case.rows))
    yield answering_side(f"{what}, kept features", partial(ours, states=states), case.rows, case)


def answering_side(what: str, answer: Callable[..., object], rows: int, case: GpuCase) -> dict[str, Any]:
    """Rows a second of some way of answering, after some rows that are not timed."""
    examples = case.examples(rows)
    answer(examples=examples[: max(1, rows // _WARM_UP_PART)])
    with on.peak_memory(case.device) as peak:
        seconds = on.seconds_on(case.device, lambda: answer(examples=examples))
    return {
        "what": what,
        "rows": rows,
        "rows_per_second": round(rows / seconds, 2),
        "peak_gb": None if peak.gb is None else round(peak.gb, 2),
    }


def measure_on(case: GpuCase) -> dict[str, Any]:
    """All figures of a device."""
    sides = list(compare_speed(case))
    ours, oracle, _ = (side["rows_per_second"] for side in sides)
    return {
        "device": on.device_name(case.device),
        "versions": measuring.versions(),
        "size": case.size,
        "dtype": case.dtype,
        "description_tokens": case.description_tokens,
        "ratio": round(ours / oracle, 1),
        "sides": sides,
        "letters": compare_letters(case),
    }


def measure_on_gpu() -> dict[str, Any]:
    """All figures of this machine's GPU, at the published size.

    Raises:
        SystemExit: There is no GPU.
    """
    if not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here; without --gpu the CPU is measured")
    return measure_on(GpuCase())
