"""Which annotation steps there are, and which of them a recipe takes."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import blip_core.annotating
from blip_core.annotating.step import Step
from blip_core.errors import RecipeError
from blip_core.plugins import load_plugin
from blip_core.recipes import Annotation, PluginStep, Section
from blip_core.recipes.annotations import STEP_NAMES


@cache
def shipped_steps() -> Mapping[str, Step[Any]]:
    """The steps of this package by name: each is `STEP` in a file of its own."""
    modules = [
        import_module(f"blip_core.annotating.{one.name}")
        for one in iter_modules(blip_core.annotating.__path__)
    ]
    steps = [module.STEP for module in modules if isinstance(getattr(module, "STEP", None), Step)]
    return {step.name: step for step in steps}


def step_of(annotation: Annotation) -> tuple[Step[Any], Section]:
    """The step that a recipe asks for, and its settings.

    Raises:
        RecipeError: A plug-in that it names cannot be loaded, or is no step.
    """
    if not isinstance(annotation, PluginStep):
        return shipped_steps()[annotation.step], annotation
    step = plugged_step(annotation.part)
    return step, step.settings.model_validate(annotation.settings)


def plugged_step(name: str) -> Step[Any]:
    """The step of that name of an installed package, which names itself when it fails.

    Raises:
        RecipeError: There is none, it cannot be loaded, or it is no step of that name.
    """
    plugin = load_plugin("steps", name, STEP_NAMES)
    step = plugin.part
    if not isinstance(step, Step):
        raise RecipeError(f"{plugin} is a {type(step).__name__}; it must be a blip_core.annotating.Step")
    if step.name != name:
        raise RecipeError(f"{plugin} calls itself {step.name!r}; its entry point must have the same name")
    prepare = plugin.guarded(step.prepare) if step.prepare else None
    return replace(step, work=plugin.guarded(step.work), prepare=prepare, origin=plugin.origin)
