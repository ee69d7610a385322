"""Who answers a table: a variant of a recipe, or an adapter that somebody names. Loads no Prefect."""

import re
from pathlib import Path

from blip_core.errors import RecipeError, UnknownArtifact
from blip_core.recipes import Recipe, Variant
from blip_core.store import ArtifactRef
from blip_core.store.lineage import Lineage
from blip_core.wiring import adapter_identity, checkpoint_identity, workplace
from tasks.chosen import SHOWN_CHARS, chosen

_DIGEST = re.compile(r"[0-9a-fA-F]{4,64}")
_ADAPTER_CONFIG = "adapter_config.json"


def check_can_answer(recipe: Recipe) -> None:
    """Make sure that a recipe asks four-option questions.

    Raises:
        RecipeError: It asks something else.
    """
    if recipe.task != "mcq":
        raise RecipeError(
            f"task is {recipe.task!r}, but only four-option questions are answered; allowed: mcq"
        )


def choose_variant(recipe: Recipe, name: str) -> tuple[Variant, ArtifactRef | None]:
    """The model that answers, with its adapter where that is named by its digest.

    Args:
        recipe: whose variants and whose base are meant.
        name: of a variant; else the folder of a PEFT adapter; else the beginning of an adapter's digest.

    Raises:
        RecipeError: It is none of these.
        UnknownArtifact: No adapter has that digest, or it was tuned on another base.
    """
    for variant in recipe.variants:
        if variant.name == name:
            return variant, None
    folder = Path(name).expanduser().absolute()
    if (folder / _ADAPTER_CONFIG).is_file():
        return _with_folder(recipe, folder), None
    if _DIGEST.fullmatch(name):
        adapter = chosen("adapter", name)
        _check_base(recipe, adapter)
        return _named(recipe, adapter.digest, adapter=True), adapter
    known = ", ".join(variant.name for variant in recipe.variants)
    raise RecipeError(
        f"there is no variant {name!r}; allowed: {known}, the folder of a PEFT adapter (with "
        f"{_ADAPTER_CONFIG} in it), or the digest of an adapter in the store"
    )


def _with_folder(recipe: Recipe, folder: Path) -> Variant:
    unnamed = _named(recipe, "", adapter=str(folder))
    return _named(recipe, adapter_identity(unnamed, ""), adapter=str(folder))


def _named(recipe: Recipe, digest: str, adapter: bool | str) -> Variant:
    name = f"adapter-{digest[:SHOWN_CHARS]}"
    return Variant(name=name, role="base", model=recipe.finetune.base, adapter=adapter)


def _check_base(recipe: Recipe, adapter: ArtifactRef) -> None:
    held = workplace().store.find(adapter.key)
    if held is None or held.metadata.get("model") in (None, checkpoint_identity(recipe.finetune.base)):
        return  # one that does not say is judged when it is loaded
    raise UnknownArtifact(
        f"the adapter {adapter.digest[:SHOWN_CHARS]} was tuned on another model than "
        f"{recipe.finetune.base.id}; use the recipe and profile it was tuned with"
    )


def newest_adapter(recipe: Recipe) -> ArtifactRef:
    """The newest adapter of a recipe's name and base, whatever else was changed when it was tuned.

    Raises:
        UnknownArtifact: The store holds none.
    """
    base = checkpoint_identity(recipe.finetune.base)
    for adapter in Lineage(workplace().store.artifacts()).of_kind("adapter"):
        if (adapter.metadata.get("recipe"), adapter.metadata.get("model")) == (recipe.name, base):
            return adapter.ref()
    raise UnknownArtifact(
        f"no adapter of {recipe.name} with {recipe.finetune.base.id} is in the store; make one with "
        f"`foundry finetune {recipe.name} --profile {recipe.profile}`, or name another with --variant"
    )


def check_variant(recipe: Recipe, name: str) -> None:
    """Make sure that who is to answer is there, its adapter included.

    Raises:
        RecipeError: See `choose_variant`.
        UnknownArtifact: See `choose_variant` and `newest_adapter`.
    """
    variant, adapter = choose_variant(recipe, name)
    if variant.adapter is True and adapter is None:
        newest_adapter(recipe)
