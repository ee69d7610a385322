"""What has to hold among the variants of a recipe, and of what they are asked."""

from typing import TYPE_CHECKING

from blip_core.recipes.base import check_placeholders
from blip_core.recipes.variants import ALIASES, CrossFitVariant, ServerVariant, Variant

if TYPE_CHECKING:
    from blip_core.recipes.recipe import Recipe


def check_variants(recipe: "Recipe") -> None:
    """Refuse variants that contradict each other or the recipe.

    Raises:
        ValueError: One does; the message names it.
    """
    refuse_twice("variants", [variant.name for variant in recipe.variants])
    for variant in recipe.variants:
        if isinstance(variant, ServerVariant):
            _check_server(recipe, variant)
            continue
        if isinstance(variant, CrossFitVariant):
            _check_cross_fit(recipe, variant)
            continue
        _check_phase_of(recipe, variant)
        _check_asked(recipe, variant)
        if variant.adapter is True and not recipe.tuned_phases():
            raise ValueError(
                f"variant {variant.name}: adapter is true, but source.kind is none: nothing is tuned; name "
                "the adapter that it carries, or false"
            )
        if variant.role == "baseline" and (variant.adapter is True or variant.adapter in ALIASES):
            named = "true" if variant.adapter is True else variant.adapter
            raise ValueError(
                f"variant {variant.name}: adapter is {named}, but role is baseline: the adapter is tuned on "
                "finetune.base; give it the role base"
            )
        if variant.role == "base" and variant.model != recipe.finetune.base:
            raise ValueError(
                f"variant {variant.name}: role is base, but model is {variant.model.id} and finetune.base is "
                f"{recipe.finetune.base.id}: leave model out, or give it the role baseline"
            )


def _check_cross_fit(recipe: "Recipe", variant: CrossFitVariant) -> None:
    """Refuse to join answers of variants that come later, or whose learnt rows this run does not know."""
    places = {one.name: place for place, one in enumerate(recipe.variants)}
    tuned = {one.name for one in recipe.variants if recipe.phase_of(one) is not None}
    refuse_twice(f"variants.{variant.name}.of", list(variant.of))
    for name in variant.of:
        if name not in tuned or places[name] > places[variant.name]:
            allowed = [one for one in places if one in tuned and places[one] < places[variant.name]]
            raise ValueError(
                f"variant {variant.name} joins {name}, which is no variant before it that carries an adapter "
                f"of this run; allowed: {', '.join(allowed) or 'none'}"
            )


def _check_asked(recipe: "Recipe", variant: Variant) -> None:
    field = f"variants.{variant.name}"
    if variant.answers != "written" and (recipe.kind.has_options or not recipe.kind.asks):
        raise ValueError(
            f"{field}.answers is {variant.answers}, and task is {recipe.task}: it is for questions with free "
            "answers; leave it out"
        )
    if variant.answers == "ranked" and not variant.adapter and not recipe.inference.closed_answers:
        raise ValueError(
            f"{field}.answers is ranked, but it carries no adapter that learnt any answers, and "
            "inference.closed_answers is empty: name the answers there"
        )
    if variant.answers == "read":
        check_placeholders(f"{field}.answer_prompt", variant.answer_prompt, set())
        return
    if variant.answer_prompt:
        described = {"description"} if recipe.stages == 2 else set()
        check_placeholders(
            f"variants.{variant.name}.answer_prompt",
            variant.answer_prompt,
            recipe.kind.places | described,
            recipe.kind.further_places,
        )


def check_judges(recipe: "Recipe") -> None:
    """Refuse gates whose judge is no variant that is there before anything is tuned; see `check_variants`."""
    curation = recipe.curation
    local = [variant for variant in recipe.variants if isinstance(variant, Variant)]
    allowed = [variant.name for variant in local if variant.adapter_kind in ("none", "folder")]
    for name, judge in (("second_judge", curation.second_judge), ("blind", curation.blind)):
        if judge.enabled and judge.variant not in allowed:
            raise ValueError(
                f"curation.{name}.variant is {judge.variant!r}; allowed: {', '.join(allowed) or 'none'} "
                "(variants that are loaded here, without an adapter or with that of a folder: an adapter of "
                "this run is not there yet, and a server judges no rows)"
            )


def _check_phase_of(recipe: "Recipe", variant: Variant) -> None:
    names = [phase.name for phase in recipe.phases]
    named = variant.phase or (str(variant.adapter) if names and variant.adapter_kind == "folder" else "")
    if named and named not in names and "/" not in named:
        there = f"there is {', '.join(names)}" if names else "the recipe has none"
        raise ValueError(
            f"variant {variant.name}: its adapter is that of the phase {named}, and {there}; a folder is "
            "written with ./ before its name"
        )


def _check_server(recipe: "Recipe", variant: ServerVariant) -> None:
    if recipe.inference.options:
        raise ValueError(
            f"variant {variant.name}: role is server, and inference.options lets whole words be ranked, "
            "which no server does; leave options or the variant out"
        )
    if recipe.inference.ranking == "texts":
        raise ValueError(
            f"variant {variant.name}: role is server, but inference.ranking is texts: servers tell "
            "probabilities of first tokens alone; set it to letters, or leave the variant out"
        )


def refuse_twice(field: str, names: list[str]) -> None:
    """Refuse names that come more than once in a field.

    Raises:
        ValueError: One does.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{field} holds {', '.join(twice)} more than once; names must differ")
