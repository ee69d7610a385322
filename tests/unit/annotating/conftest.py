"""Steps over plain rows, with models that say what they are told to."""

from types import SimpleNamespace

import pytest

from blip_core.annotating import Context, annotate, prepare, shipped_steps
from blip_core.recipes import load_recipe
from tests.unit.examples import example, png, world_pixels

PICTURE = png(world_pixels(0))


class Opened(dict):
    def open(self, port):
        return self[port]


def caption(number, target="", **changes):
    return example(number, task="caption", image=PICTURE, target=target, answer="", **changes)


@pytest.fixture
def work():
    """Works a step, written as a recipe writes it, over rows; gives rows by id and reasons by id."""

    def run(rows, digest="0" * 64, models=None, **step):
        recipe = load_recipe("gallery-vqa", "pocket", [f"annotations=[{toml(step)}]"])
        (settings,) = recipe.annotations
        code = shipped_steps()[settings.step]
        context = Context(Opened(models or {}), seed=7, digest=digest)
        facts = prepare(code, rows, settings, context)
        kept, refused = annotate(code, rows, settings, Context(context.models, 7, digest, facts))
        return SimpleNamespace(rows=kept, reasons={one.id: one.reason for one in refused}, refused=refused)

    return run


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        repr(value)
        if isinstance(value, (int, float))
        else '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    )
