"""The gallery recipe as its profiles ask for it, and rates that `foundry plan` can take from it."""

from blip_core.planning.rates import deciding, settings_of
from blip_core.recipes import Recipe, load_recipe
from tests.gpu.report.setting import Figures, Setting

RATE = "rate"
_NAMED = ("scenes.model", "pictures.model", "labels.model", "finetune.base", "baseline")


def of(profile: str, setting: Setting, *overrides: str) -> Recipe:
    """The gallery recipe under a profile.

    With small sizes its checkpoints have names of nobody's, so that no plan takes their rates for those of
    the real ones.
    """
    small = [] if setting.sizes.name == "full" else [f"{name}.id=random/small" for name in _NAMED]
    return load_recipe("gallery-vqa", profile, [*small, *overrides])


def rate(stage: str, recipe: Recipe, rows_per_second: float) -> Figures:
    """A measured rate with the settings that it holds for."""
    settings = deciding(stage, settings_of(recipe))
    return {RATE: {"stage": stage, "rows_per_second": rows_per_second, "settings": settings}}
