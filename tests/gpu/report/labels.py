"""Labelling: a description and a question about each picture, by batch size."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from blip_core.backends.sampling import Sampling
from blip_core.planning.generating import Texts, label
from blip_core.recipes import Recipe
from tests.benchmarks import device as on
from tests.benchmarks.gpu_finetune import rounded
from tests.benchmarks.questions import random_png
from tests.gpu.report import recipes
from tests.gpu.report.random_generators import RandomLabeller, published_config, tiny_llava
from tests.gpu.report.setting import Figures, Setting

_WARM_UP_TOKENS = 2


def measure(setting: Setting) -> Iterator[Figures]:
    """Making the model, then labels a second at growing batch sizes."""
    case, device = setting.sizes.labels, setting.device
    recipe = recipes.of("workstation", setting)
    config = published_config(case.checkpoint, "llava") if case.checkpoint else tiny_llava()
    dtype = recipe.labels.model.dtype if device == "cuda" else "float32"
    sampling = _sampling(recipe, case.new_tokens)
    made: list[RandomLabeller] = []
    with on.peak_memory(device) as peak:
        seconds = on.seconds_on(
            device, lambda: made.append(RandomLabeller(config, recipe.labels.prompt, sampling, device, dtype))
        )
    labeller = made.pop()
    what = f"making {case.checkpoint or 'a tiny LLaVA'} where it runs, {dtype}"
    yield {"what": what, "seconds": round(seconds, 1), "peak_gb": rounded(peak.gb)}
    prompt_tokens = labeller.prompt_tokens(recipe.labels.prompt)
    for size in case.batch_sizes:
        yield _at(labeller, size, setting)
    texts = Texts(case.batch_sizes[0], prompt_tokens, sampling.max_new_tokens)
    planned = label(config, dtype, texts, sampling, setting.where)
    yield {
        "what": f"planned for {texts.rows} pictures a batch, prompts of {prompt_tokens} tokens",
        "planned_gb": rounded(planned.total / on.GIGABYTE),
        "tflop_per_label": round(planned.work.flops / texts.rows / 1e12, 4),
    }


def _sampling(recipe: Recipe, new_tokens: int) -> Sampling:
    settings = recipe.labels
    return Sampling(settings.temperature, settings.top_p, new_tokens or settings.max_new_tokens)


def _at(labeller: RandomLabeller, size: int, setting: Setting) -> Figures:
    """Labels a second, one whole batch timed after a short one; random models hardly ever stop early."""
    case = setting.sizes.labels
    changes = [f"labels.batch_size={size}"]
    if case.new_tokens:
        changes.append(f"labels.max_new_tokens={case.new_tokens}")
    recipe = recipes.of("workstation", setting, *changes)
    sampling = _sampling(recipe, case.new_tokens)
    rng = np.random.default_rng(0)
    pictures = [Image.open(io.BytesIO(random_png(rng, case.picture_px))) for _ in range(size)]
    prompts, seeds = [recipe.labels.prompt] * size, list(range(size))
    labeller.sample(Sampling(sampling.temperature, sampling.top_p, _WARM_UP_TOKENS))
    labeller.label(pictures, prompts, seeds)
    labeller.sample(sampling)
    with on.peak_memory(setting.device) as peak:
        seconds = on.seconds_on(setting.device, lambda: labeller.label(pictures, prompts, seeds))
    return {
        "what": f"labels of {sampling.max_new_tokens} tokens, {size} pictures a batch",
        "labels_per_second": round(size / seconds, 2),
        "tokens_per_second": round(size * sampling.max_new_tokens / seconds),
        "peak_gb": rounded(peak.gb),
        **recipes.rate("labels", recipe, size / seconds),
    }
