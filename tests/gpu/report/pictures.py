"""Painting: pictures a second by steps and batch size."""

from collections.abc import Iterator

from blip_core.planning.painting import paint
from blip_core.recipes import Recipe
from tests.benchmarks import device as on
from tests.benchmarks.gpu_finetune import rounded
from tests.gpu.report import recipes
from tests.gpu.report.random_generators import RandomPainter, published_config, tiny_diffusion
from tests.gpu.report.setting import Figures, Setting

_SCENE = "an old tree beside the river, two boats, somebody walks past"
_WARM_UP_STEPS = 2


def measure(setting: Setting) -> Iterator[Figures]:
    """Making the pipeline, then batches of every size, then what was planned for the last."""
    case, device = setting.sizes.pictures, setting.device
    parts = published_config(case.checkpoint, "diffusion") if case.checkpoint else tiny_diffusion()
    recipe = _recipe(setting, *case.batches[0])
    dtype = recipe.pictures.model.dtype if device == "cuda" else "float32"
    made: list[RandomPainter] = []
    with on.peak_memory(device) as peak:
        seconds = on.seconds_on(
            device, lambda: made.append(RandomPainter(parts, recipe.pictures, device, dtype))
        )
    painter = made.pop()
    what = f"making {case.checkpoint or 'a tiny Stable Diffusion'} where it runs, {dtype}"
    yield {"what": what, "seconds": round(seconds, 1), "peak_gb": rounded(peak.gb)}
    per_second = 0.0
    for steps, size in case.batches:
        figures = _at(painter, _recipe(setting, steps, size), setting)
        per_second = figures["pictures_per_second"]
        yield figures
    steps, size = case.batches[-1]
    planned = paint(parts, _recipe(setting, steps, size).pictures, setting.where)
    yield {
        "what": f"the last, {steps} steps and {size} pictures a batch, as planned operations",
        "planned_gb": rounded(planned.total / on.GIGABYTE),
        **setting.shares(planned.work, size / per_second),
    }


def _recipe(setting: Setting, steps: int, size: int) -> Recipe:
    side = setting.sizes.pictures.side_px
    sides = [f"pictures.width_px={side}", f"pictures.height_px={side}"]
    return recipes.of(
        "workstation", setting, f"pictures.steps={steps}", f"pictures.batch_size={size}", *sides
    )


def _at(painter: RandomPainter, recipe: Recipe, setting: Setting) -> Figures:
    """Pictures a second: one whole batch, after a short one of the same size."""
    settings = recipe.pictures
    prompts, seeds = [_SCENE] * settings.batch_size, list(range(settings.batch_size))
    painter.paint_as(settings.model_copy(update={"steps": min(_WARM_UP_STEPS, settings.steps)}))
    painter.paint(prompts, seeds)
    painter.paint_as(settings)
    with on.peak_memory(setting.device) as peak:
        seconds = on.seconds_on(setting.device, lambda: painter.paint(prompts, seeds))
    rate = settings.batch_size / seconds
    return {
        "what": f"{settings.width_px} px, {settings.steps} steps, {settings.batch_size} pictures a batch",
        "pictures_per_second": round(rate, 3),
        "seconds_a_batch": round(seconds, 2),
        "peak_gb": rounded(peak.gb),
        **recipes.rate("pictures", recipe, rate),
    }
