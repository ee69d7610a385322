"""Correctness: what the card computes, against what is known to be right."""

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from blip_core.inference import predict
from blip_core.modeling import Blip2Bundle, load_adapter
from blip_core.modeling.features import VisionCache, decode_picture, image_features, vision_states
from blip_core.recipes import load_recipe
from blip_core.recipes.finetune import Finetune
from blip_core.records import Example, Prediction
from blip_core.training import TrainingResult, finetune
from tests.benchmarks import gpu_inference
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import make_random_blip2
from tests.benchmarks.shapes import SHAPES
from tests.gpu.parity import nf4_distance
from tests.gpu.report import claims
from tests.gpu.report.setting import Figures, Setting


def measure(setting: Setting) -> Iterator[Figures]:
    """NF4, letters in bfloat16, then what two devices make of the same model."""
    device = setting.device
    for size in setting.sizes.nf4:
        bundle = make_random_blip2(SHAPES[size], "nf4", device, "bfloat16")
        distance = nf4_distance(bundle)
        what = f"{size}: logits in NF4, against its dequantised twin"
        yield claims.at_most(what, round(distance, 6), claims.NF4_DISTANCE)
        del bundle
    yield from _letters(setting)
    yield from _two_devices(setting)


def _letters(setting: Setting) -> Iterator[Figures]:
    letters = gpu_inference.compare_letters(setting.sizes.answering)
    flips = letters.pop("flips")
    figures = {
        "what": "letters in bfloat16, against float32 where that is sure",
        **letters,
        "flips_of_all": len(flips),
        "largest_margin_of_a_flip": max((flip["margin"] for flip in flips), default=0.0),
    }
    if letters["agreeing_share"] is None:  # no row was sure
        yield figures
        return
    yield figures | claims.at_least(figures["what"], letters["agreeing_share"], claims.AGREEING_SHARE)


def _two_devices(setting: Setting) -> Iterator[Figures]:
    """The same weights in float32 on the card and on the CPU."""
    case = setting.sizes.twins
    there = make_random_blip2(SHAPES[case.size], "none", setting.device, "float32", dropout=0.0)
    here = replace(there, model=copy.deepcopy(there.model).to("cpu"))
    examples = random_examples(case.pictures, 2, setting.sizes.tuning.picture_px)
    with torch.no_grad():
        seen = [_seen(bundle, examples) for bundle in (there, here)]
    for number, what in enumerate(("vision tower", "Q-Former and projection")):
        distance = _distance(seen[0][number], seen[1][number])
        yield claims.at_most(f"{what}, against the CPU", round(distance, 7), claims.FEATURE_DISTANCE)
    with tempfile.TemporaryDirectory() as place:
        fresh = copy.deepcopy(here.model)
        results = [
            _tune(bundle, examples, Path(place) / name, setting)
            for name, bundle in (("there", there), ("here", here))
        ]
        apart = max(_relative(*losses) for losses in zip(*map(_losses, results), strict=True))
        yield claims.at_most(
            f"losses of {case.steps} steps, against the CPU", round(apart, 7), claims.LOSS_DISTANCE
        )
        loaded = load_adapter(replace(here, model=fresh), results[0].adapter)
        apart = max(
            _chance_distance(*pair)
            for pair in zip(_answers(there, examples), _answers(loaded, examples), strict=True)
        )
        yield claims.at_most(
            "letters of an adapter tuned there and loaded on the CPU", round(apart, 7), claims.CHANCE_DISTANCE
        )


def _seen(bundle: Blip2Bundle, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    states = vision_states(bundle, [decode_picture(example) for example in examples[::2]])
    return states.cpu(), image_features(bundle, states).cpu()


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


def _tune(bundle: Blip2Bundle, examples: Sequence[Example], place: Path, setting: Setting) -> TrainingResult:
    case = setting.sizes.twins
    states = VisionCache(bundle, case.pictures)
    states.add(examples)
    tower = bundle.blip2.vision_model
    result = finetune(bundle, examples, [], _exactly(case.steps, case.rows, examples), prompt_settings(), 0,
                      place, states=states)  # fmt: skip
    bundle.blip2.vision_model = tower  # a tuning gives it back; it is asked again
    return result


def _exactly(steps: int, rows: int, examples: Sequence[Example]) -> Finetune:
    """The gallery recipe's tuning without chance, for so many steps."""
    settings = load_recipe("gallery-vqa").finetune
    changes = {
        "adapter": settings.adapter.model_copy(update={"dropout": 0.0}),
        "quantisation": "none",
        "batch_size": rows,
        "epochs": steps / -(-len(examples) // rows),
        "describe_share": 0.0,
    }
    return settings.model_copy(update=changes)


def _losses(result: TrainingResult) -> list[float]:
    return [row["loss"] for row in result.curve if "loss" in row]


def _relative(one: float, other: float) -> float:
    return abs(one - other) / abs(other)


def _answers(bundle: Blip2Bundle, examples: Sequence[Example]) -> list[Prediction]:
    settings = prompt_settings(describe_prompt="", free_generation=False)
    return predict(bundle, examples, settings, "twin")


def _chance_distance(one: Prediction, other: Prediction) -> float:
    mine, theirs = ((row.p_a, row.p_b, row.p_c, row.p_d) for row in (one, other))
    return max(abs(chance - other_chance) for chance, other_chance in zip(mine, theirs, strict=True))
