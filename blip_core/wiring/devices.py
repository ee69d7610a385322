"""What a model runs on."""

from blip_core.errors import RecipeError
from blip_core.recipes import Recipe


def device_of(recipe: Recipe) -> str:
    """`cpu` or `cuda`.

    Raises:
        RecipeError: The recipe asks for a GPU, and there is none.
    """
    import torch

    kind = recipe.device.kind
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise RecipeError(
            "device.kind is cuda, but torch sees no GPU here; use --set device.kind=cpu or auto"
        )
    return kind


def use_threads(recipe: Recipe) -> None:
    """Let torch use as many threads of the CPU as the recipe says, where models run on it."""
    import torch

    if device_of(recipe) == "cpu":
        torch.set_num_threads(recipe.device.threads)


def check_gpus(recipe: Recipe, device: str) -> None:
    """Make sure that each process that tunes has a GPU of its own, where it runs on GPUs.

    Raises:
        RecipeError: There are fewer GPUs than processes.
    """
    import torch

    wanted, there = recipe.device.processes, torch.cuda.device_count()
    if device == "cuda" and there < wanted:
        raise RecipeError(
            f"device.processes is {wanted} and torch sees {there} GPU(s) here: each process needs one of its "
            "own; lower it, or set device.kind to cpu"
        )
