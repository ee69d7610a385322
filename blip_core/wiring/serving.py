"""What a server of ours is told: how its requests are asked, and which key they bear."""

import os
from typing import TYPE_CHECKING

from blip_core.kinds import KINDS
from blip_core.recipes import Recipe, Variant
from blip_core.wiring.asking import asked_as
from blip_core.wiring.variants import asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blip_core.serving.questions import Asking

SERVE_KEY = "FOUNDRY_SERVE_KEY"


def serve_key() -> str:
    """The key that requests to a server of ours have to bear; empty, none is asked for."""
    return os.environ.get(SERVE_KEY, "").strip()


def request_asking(recipe: Recipe, variant: Variant, learnt: "Sequence[str]" = ()) -> "Asking":
    """How requests are asked: as the recipe's rows are, and those without options as rows of a table are.

    Args:
        recipe: whose rows.
        variant: who answers.
        learnt: answers that its adapter learnt, where it chooses among them.

    Raises:
        RecipeError: It chooses among answers, and there are none or too many.
    """
    from blip_core.serving.questions import Asking

    free = [kind for kind in KINDS.values() if not kind.has_options] if recipe.kind.has_options else []
    settings = {recipe.task: asking(recipe, variant, learnt)}
    for kind in free:
        plainly = variant.model_copy(update={"answer_prompt": ""})  # its own is meant for the recipe's kind
        settings[kind.name] = asking(asked_as(recipe, kind), plainly, learnt)
    return Asking(recipe.task, settings)
