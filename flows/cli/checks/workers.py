"""Who would work a recipe's shards on this machine, and whether its memory holds them."""

from collections.abc import Iterator

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe
from blip_core.wiring.executors import Workers, local_workers
from flows.cli.checks.finding import Case, Finding

_GB = 1e9


def workers(case: Case) -> Iterator[Finding]:
    """Whether memory holds the processes that a recipe asks for; nothing is said of a cluster's."""
    if case.recipe is None or case.recipe.device.executor in ("serial", "ray"):
        return
    try:
        found = local_workers(case.recipe)
    except RecipeError:
        return  # it wants a GPU that is not here, which is said of the GPU
    said = f"device.executor={case.recipe.device.executor}: {_in_words(found)}"
    if _is_held(case.recipe, found):
        yield Finding("workers", "ok", said)
        return
    remedy = f"lower device.workers to {found.held or 1}, or device.executor=serial"
    yield Finding("workers", "warning", said, remedy)


def _is_held(recipe: Recipe, found: Workers) -> bool:
    """A GPU's processes have their models there; `auto` takes as many as there is room for."""
    return recipe.device.executor == "auto" or found.on_gpu or found.count <= found.held


def _in_words(found: Workers) -> str:
    if found.count == 1:
        return "the run works alone"
    memory = (
        "" if found.on_gpu else f" of {found.bytes_each / _GB:.1f} GB each, and memory holds {found.held}"
    )
    return f"{found.count} processes{memory}"
