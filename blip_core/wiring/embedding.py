"""A model that embeds texts, for whoever compares them outside of a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from blip_core.errors import RecipeError
from blip_core.ports import Embedder
from blip_core.recipes import Checkpoint
from blip_core.wiring.checkpoints import locate_checkpoint
from blip_core.wiring.environment import prepare_environment
from blip_core.wiring.places import workplace


@contextmanager
def open_embedder(checkpoint: str) -> Iterator[Embedder]:
    """Load an embedder onto the CPU, and close it behind its work.

    Args:
        checkpoint: as a recipe names one: bundled, on the hub, or a folder.

    Raises:
        RecipeError: It is no name of a checkpoint.
        CheckpointError: It is missing, or embeds no texts.
    """
    try:
        named = Checkpoint.model_validate(checkpoint)
    except ValidationError as error:
        raise RecipeError(f"--embedder {checkpoint}: {error.errors()[0]['msg']}") from error
    prepare_environment(workplace())  # torch's family is imported now
    from blip_core.backends.picture_text_scorer import load_embedder

    embedder = load_embedder(locate_checkpoint(named))
    try:
        yield embedder
    finally:
        embedder.close()
