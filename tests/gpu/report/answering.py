"""Answering with flan-t5-xl: a description of full length, then a letter, for many rows at once."""

from collections.abc import Iterator
from functools import partial
from statistics import mean

from blip_core.inference import predict
from blip_core.inference.prompting import answer_prompt, describe_prompt
from blip_core.planning.answering import Questions, answer
from tests.benchmarks import gpu_inference
from tests.benchmarks.questions import prompt_settings, sentences
from tests.benchmarks.random_blip2 import make_random_blip2, make_tokenizer, prepared_config
from tests.benchmarks.shapes import SHAPES
from tests.gpu.report import recipes
from tests.gpu.report.setting import Figures, Setting

VARIANT = "flan-t5"
_SAMPLE = 64  # rows whose prompts are counted


def measure(setting: Setting) -> Iterator[Figures]:
    """Ours, the row-by-row way, ours on kept features, then as profiles ask."""
    case = setting.sizes.answering
    sides: list[Figures] = []
    for side in gpu_inference.compare_speed(case):
        yield side
        sides.append(side)
    ours, oracle, kept = sides
    what = "{}, against row by row"
    for words, side in (("ours", ours), ("ours on kept features", kept)):
        ratio = side["rows_per_second"] / oracle["rows_per_second"]
        yield {"what": what.format(words), "ratio": round(ratio, 1)}
    for profile, rows in setting.sizes.recipe.profiles:
        yield _as_a_profile_asks(profile, rows, setting)
    yield _shares(ours["rows_per_second"], setting)


def _as_a_profile_asks(profile: str, rows: int, setting: Setting) -> Figures:
    case, recipe = setting.sizes.answering, recipes.of(profile, setting)
    asked = recipe.inference
    bundle = make_random_blip2(SHAPES[case.size], asked.quantisation, case.device, "bfloat16")
    answering = partial(predict, bundle, settings=asked, variant=VARIANT)
    what = f"as the profile {profile} asks, in {asked.quantisation}, {asked.batch_size} rows a batch"
    side = gpu_inference.answering_side(what, answering, rows, case)
    return side | recipes.rate(f"predict {VARIANT}", recipe, side["rows_per_second"])


def _shares(rows_per_second: float, setting: Setting) -> Figures:
    """Ours as the planner counts its operations, prompts as long as these are on the average."""
    case = setting.sizes.answering
    shape = SHAPES[case.size]
    config = prepared_config(shape)
    tokenizer = make_tokenizer(sentences(), shape.family, config.text_config.vocab_size)
    settings, examples = prompt_settings(), case.examples(_SAMPLE)
    described = mean(len(tokenizer(describe_prompt(settings, one))["input_ids"]) for one in examples)
    answered = mean(len(tokenizer(answer_prompt(settings, one, ""))["input_ids"]) for one in examples)
    rows = min(case.batch_size, case.rows)
    asked = Questions(
        rows=rows,
        pictures=rows // case.questions,
        describe_tokens=round(described),
        answer_tokens=round(answered) + case.description_tokens,
        new_tokens=case.description_tokens,
    )
    footprint = answer(config, "none", case.dtype, asked, setting.where)
    return {"what": "ours, as planned operations", **setting.shares(footprint.work, rows / rows_per_second)}
