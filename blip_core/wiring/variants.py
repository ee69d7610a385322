"""Variants as they are judged: loaded here, or behind a server."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.errors import RecipeError
from blip_core.recipes import Checkpoint, Inference, Recipe, ServerVariant, Variant
from blip_core.recipes.inference import check_closed
from blip_core.wiring.checkpoints import checkpoint_identity, folder_digest, locate_checkpoint
from blip_core.wiring.devices import device_of, use_threads
from blip_core.wiring.places import workplace
from blip_core.wiring.served import secret_of

if TYPE_CHECKING:
    from blip_core.backends.chat import ChatClient, Dialect
    from blip_core.inference.served import ServedModel
    from blip_core.modeling import Blip2Bundle
    from blip_core.modeling.features import VisionStates
    from blip_core.ports import SpanReader

NO_TOKENS = 1  # as few as can be asked for, where nothing is to be written


def inference_settings(recipe: Recipe) -> Inference:
    """How variants answer: without a describing prompt where there is no describing stage."""
    if recipe.stages == 2:
        return recipe.inference
    return recipe.inference.model_copy(update={"describe_prompt": ""})


def asking(recipe: Recipe, variant: Variant | ServerVariant, learnt: Sequence[str] = ()) -> Inference:
    """How one variant is asked: as the others are, unless it has a prompt of its own or ranks its answers.

    Args:
        recipe: how the others are asked.
        variant: who answers.
        learnt: answers that its adapter learnt, which it chooses among where the recipe names none.

    Raises:
        RecipeError: It ranks its answers, and there are none or too many.
    """
    settings = inference_settings(recipe)
    if isinstance(variant, ServerVariant):
        return settings.model_copy(update={"closed_answers": ()})
    changes: dict[str, Any] = {"closed_answers": _closed_answers(recipe, variant, learnt)}
    if variant.answer_prompt or variant.answers == "read":
        changes["answer_prompt"] = variant.answer_prompt
    return settings.model_copy(update=changes)


def _closed_answers(recipe: Recipe, variant: Variant, learnt: Sequence[str]) -> tuple[str, ...]:
    if variant.answers != "ranked":
        return ()
    if recipe.inference.closed_answers:
        return recipe.inference.closed_answers
    answers = tuple(sorted({one.casefold(): one for one in learnt}.values()))
    try:
        check_closed(answers)
    except ValueError as error:
        raise RecipeError(f"variant {variant.name} ranks what its adapter learnt: {error}") from None
    if not answers:
        raise RecipeError(
            f"variant {variant.name} ranks its answers and carries no adapter of this store that learnt any: "
            "name them in inference.closed_answers, or let it write"
        )
    return answers


def load_libraries(variant: Variant | ServerVariant) -> None:
    """Load what a variant is loaded with, but no weights: seconds in which something else may start.

    A variant behind a server needs nothing.
    """
    if not isinstance(variant, ServerVariant):
        import blip_core.inference.unpacking
        import blip_core.modeling  # noqa: F401


def load_variant(recipe: Recipe, variant: Variant, adapter: Path | None) -> "Blip2Bundle":
    """A variant as it is judged, with its adapter if it has one."""
    from blip_core.modeling import load_adapter, load_blip2

    use_threads(recipe)
    folder = locate_checkpoint(variant.model)
    bundle = load_blip2(folder, recipe.inference.quantisation, device_of(recipe), variant.model.dtype)
    return load_adapter(bundle, adapter) if adapter else bundle


def variant_states(recipe: Recipe, variant: Variant, bundle: "Blip2Bundle") -> "VisionStates | None":
    """Where a variant takes its vision tower's outputs from; None, it encodes what it answers itself.

    Variants of one checkpoint share them with each other and with tuning. They are not kept where an adapter
    sits on the tower, whose outputs are then the adapter's own, nor where the tower is so small that keeping
    may cost more than it spares, see `WORTH_KEEPING_PARAMETERS`.
    """
    from blip_core.modeling.adapter_targets import tunes_vision_tower
    from blip_core.modeling.stored_features import WORTH_KEEPING_PARAMETERS, StoredVisionStates
    from blip_core.modeling.vision_tower import tower_parameters

    if tunes_vision_tower(bundle.model) or tower_parameters(bundle) < WORTH_KEEPING_PARAMETERS:
        return None
    return StoredVisionStates(bundle, workplace().store, checkpoint_identity(variant.model))


def load_reader(recipe: Recipe, checkpoint: Checkpoint) -> "SpanReader":
    """An extractive reader."""
    from blip_core.backends.span_reader import ExtractiveReader

    use_threads(recipe)
    return ExtractiveReader(locate_checkpoint(checkpoint), device_of(recipe), checkpoint.dtype)


def adapter_folder(variant: Variant, kept: Path | None) -> Path | None:
    """Folder of the adapter a variant carries: its own, the kept one that it names, or none."""
    if variant.adapter_kind == "folder":
        return Path(str(variant.adapter)).expanduser()
    return kept if variant.adapter else None


def adapter_identity(variant: Variant | ServerVariant, kept_digest: str) -> str:
    """What changes when the adapter does, by whatever name it goes."""
    if isinstance(variant, Variant) and variant.adapter_kind == "folder":
        return folder_digest(Path(str(variant.adapter)).expanduser())
    return kept_digest if variant.adapter else ""


def variant_identity(variant: Variant | ServerVariant, server_facts: str = "") -> str:
    """What changes when the model of a variant does.

    Args:
        variant: whose model.
        server_facts: what its server told of it, see `server_facts`.
    """
    if isinstance(variant, Variant):
        return checkpoint_identity(variant.model)
    lengths = f"{variant.answer_tokens}+{variant.thinking_tokens}"
    return f"{variant.url.rstrip('/')} {variant.served_model} {lengths} {server_facts}".strip()


def server_facts(variant: ServerVariant) -> str:
    """What a server tells of the model of a variant; empty where it tells nothing.

    Raises:
        RecipeError: The environment lacks the server's key.
        StageFailure: The server cannot be reached.
    """
    with _chat_client(variant, NO_TOKENS) as client:
        return client.model_facts()


def connect_served(recipe: Recipe, variant: ServerVariant) -> "ServedModel":
    """A variant behind a server, which is first asked when it has to answer."""
    from blip_core.backends.chat import Dialect
    from blip_core.inference.served import ServedModel

    where = f"{variant.served_model} at {variant.url}"
    dialect = Dialect(where, remarks=list(_not_kept(recipe)))
    connect = partial(
        _chat_client,
        variant,
        recipe.inference.max_new_tokens + variant.thinking_tokens,
        recipe.inference.batch_size,
        dialect,
    )
    return ServedModel(connect, where, variant.answer_tokens + variant.thinking_tokens, dialect)


def _not_kept(recipe: Recipe) -> Iterator[str]:
    """What a recipe asks of texts, and servers have no common parameter for, in words."""
    inference = recipe.inference
    asked = {
        "min_new_tokens": inference.min_new_tokens > 0,
        "beams": inference.beams > 1,
        "length_penalty": inference.length_penalty != 1.0,
    }
    named = [f"inference.{name}" for name, is_asked in asked.items() if is_asked]
    if named:
        yield f"is not told of {' and '.join(named)}, for which the protocol has no parameter"


def _chat_client(
    variant: ServerVariant,
    max_new_tokens: int,
    requests_at_once: int = 1,
    dialect: "Dialect | None" = None,
) -> "ChatClient":
    from blip_core.backends.chat import ChatClient

    return ChatClient(
        variant.url,
        variant.served_model,
        temperature=0.0,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        api_key=server_key(variant),
        requests_at_once=requests_at_once,
        dialect=dialect,
    )


def server_key(variant: ServerVariant) -> str:
    """The key of a server, from the environment; empty where none is needed.

    Raises:
        RecipeError: The variable is empty or not set.
    """
    return secret_of(variant, f"variant {variant.name}: key_variable")
