"""Who answers: variants of a recipe, or adapters that somebody names. Loads neither Prefect nor MLflow."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blip_core.errors import RecipeError, UnknownArtifact
from blip_core.recipes import AnsweringVariant, AnyVariant, CrossFitVariant, Recipe, Variant
from blip_core.recipes.variants import ALIASES, REGISTRY_SCHEME
from blip_core.store import ArtifactRef
from blip_core.store.lineage import Lineage
from blip_core.wiring import adapter_identity, checkpoint_identity, workplace
from flows.variants.resolving import resolve_variant
from tasks.chosen import SHOWN_CHARS, chosen

_DIGEST = re.compile(r"[0-9a-fA-F]{4,64}")
_ADAPTER_CONFIG = "adapter_config.json"
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_NAME_CHARS = 64


def with_variants(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """A recipe that compares those who are named, in that order; without names, as it is.

    Args:
        recipe: whose variants and whose base are meant.
        names: see `choose_variant`; the first is the one that the others are measured against.

    Raises:
        RecipeError: One is none, two have the same name, or there is but one.
        UnknownArtifact: See `choose_variant`.
    """
    if not names:
        return recipe
    variants = [choose_variant(recipe, name) for name in names]
    if len(variants) == 1:
        raise RecipeError(
            f"--variant names {names[0]} alone, and a comparison takes two; name the others as well: "
            f"{', '.join(variant.name for variant in recipe.variants)}"
        )
    try:
        return Recipe.model_validate({**dict(recipe), **_compared(recipe, variants)})
    except ValidationError as error:
        raise RecipeError(_words(error)) from None


def _compared(recipe: Recipe, variants: Sequence[AnyVariant]) -> dict[str, Any]:
    """The variants, and the findings that are about these alone."""
    names = {variant.name for variant in variants}
    return {
        "variants": tuple(variants),
        "findings": tuple(one for one in recipe.findings if one.about <= names),
    }


def check_adapter_is_used(recipe: Recipe, adapter: str) -> None:
    """Refuse an adapter of this run that no variant carries; of several phases, the last one's is meant.

    Raises:
        RecipeError: There is one.
    """
    if adapter and not any(recipe.phase_of(variant) == recipe.last_phase for variant in recipe.variants):
        raise RecipeError(
            f"the adapter {adapter} is named for this run, but no variant carries the adapter of the run; "
            f"name it as a variant: --variant {adapter}"
        )


def choose_variant(recipe: Recipe, name: str) -> AnyVariant:
    """Who is compared; its adapter is not looked up in a registry yet, see `flows.variants.resolving`.

    Args:
        recipe: whose variants and whose base are meant.
        name: of a variant; else of a phase, whose adapter is meant; else `champion`, `candidate` or
            `models:/...` for an adapter in the registry; else the folder of a PEFT adapter; else
            the beginning of an adapter's digest.

    Raises:
        RecipeError: It is none of these.
        UnknownArtifact: No adapter has that digest, or it was tuned on another base.
    """
    for variant in recipe.variants:
        if variant.name == name:
            return variant
    if name in [phase.name for phase in recipe.phases]:
        return Variant(name=name, role="base", model=recipe.finetune.base, adapter=True, phase=name)
    if name in ALIASES or name.startswith(REGISTRY_SCHEME):
        return _carrying(recipe, _slug(name.removeprefix(REGISTRY_SCHEME)), name)
    folder = Path(name).expanduser().absolute()
    if (folder / _ADAPTER_CONFIG).is_file():
        digest = adapter_identity(_carrying(recipe, "unnamed", str(folder)), "")
        return _carrying(recipe, _name_of(digest), str(folder))
    if _DIGEST.fullmatch(name):
        digest = chosen("adapter", name).digest
        carrying = _carrying(recipe, _name_of(digest), digest)
        resolve_variant(recipe, carrying, work=False)
        return carrying
    known = ", ".join([one.name for one in recipe.variants] + [one.name for one in recipe.phases])
    raise RecipeError(
        f"there is no variant {name!r}; allowed: {known}, {' or '.join(ALIASES)} or "
        f"{REGISTRY_SCHEME}NAME@ALIAS of the registry, the folder of a PEFT adapter (with "
        f"{_ADAPTER_CONFIG} in it), or the digest of an adapter in the store"
    )


def choose_answering(recipe: Recipe, name: str) -> AnsweringVariant:
    """The model that answers rows of one's own; see `choose_variant`.

    Raises:
        RecipeError: It joins the answers of others, which knows the rows of a run alone.
    """
    variant = choose_variant(recipe, name)
    if isinstance(variant, CrossFitVariant):
        raise RecipeError(
            f"the variant {name} joins what {' and '.join(variant.of)} said of rows that they learnt or did "
            "not, and answers nothing itself; name one of these"
        )
    return variant


def _carrying(recipe: Recipe, name: str, adapter: str) -> Variant:
    try:
        return Variant(name=name, role="base", model=recipe.finetune.base, adapter=adapter)
    except ValidationError as error:
        raise RecipeError(_words(error)) from None


def _words(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    return "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in problems)


def _name_of(digest: str) -> str:
    return f"adapter-{digest[:SHOWN_CHARS]}"


def _slug(text: str) -> str:
    return _NO_SLUG.sub("-", text.lower()).strip("-")[:_NAME_CHARS]


def newest_adapter(recipe: Recipe, phase: str) -> ArtifactRef:
    """The newest adapter of a recipe's name, phase and base, whatever else was changed when it was tuned.

    Raises:
        UnknownArtifact: The store holds none.
    """
    base = checkpoint_identity(recipe.finetune.base)
    for adapter in Lineage(workplace().store.artifacts()).of_kind("adapter"):
        told = (adapter.metadata.get(name) for name in ("recipe", "model", "phase"))
        if tuple(told) == (recipe.name, base, phase or None):
            return adapter.ref()
    raise UnknownArtifact(
        f"no adapter of {recipe.name} with {recipe.finetune.base.id} is in the store; make one with "
        f"`foundry finetune {recipe.name} --profile {recipe.profile}`, or name another with --variant"
    )


def check_variant(recipe: Recipe, name: str) -> AnsweringVariant:
    """Make sure that who is to answer is there, its adapter included; gives it.

    Raises:
        RecipeError: See `choose_variant`.
        UnknownArtifact: See `choose_variant`, `newest_adapter` and `resolve_variant`.
        TrackingError: The registry does not answer.
    """
    variant = choose_answering(recipe, name)
    resolve_variant(recipe, variant, work=False)
    phase = recipe.phase_of(variant)
    if phase is not None:
        newest_adapter(recipe, phase)
    return variant
