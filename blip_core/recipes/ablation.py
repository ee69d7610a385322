"""The recipe that tells what a gate is worth: tuned without it and with it, judged on the same rows."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from blip_core.errors import RecipeError
from blip_core.kinds import kind_of
from blip_core.plugins import load_plugin, names_installed
from blip_core.recipes.curation import Curation
from blip_core.recipes.explaining import Layer, explain
from blip_core.recipes.parts import settings_of
from blip_core.recipes.recipe import Recipe

_PLUGINS = "plugins"
_NO_GATES = (_PLUGINS, "alarm")
_JUDGES = ("second_judge", "blind")  # gates that name one of the recipe's variants
_MOST_NAME_CHARS = 64

Rows = Mapping[str, int]
"""Number of training rows, by phase."""

AS_GROWN: Rows = {}


def gate_section(named: str) -> str:
    """Name of a gate's section below `curation`, or of a package's gate, as somebody wrote it.

    Raises:
        RecipeError: There is none.
    """
    shipped = [name for name in Curation.model_fields if name not in _NO_GATES]
    known = [*shipped, *names_installed("gates")]
    for name in (named, named.replace("-", "_")):
        if name in known:
            return name
    near = difflib.get_close_matches(named.replace("-", "_"), known, n=1)
    hint = f"did you mean {near[0]}? Otherwise allowed" if near else "allowed"
    raise RecipeError(f"there is no gate {named!r}; {hint}: {', '.join(known)}")


def phases_of(gate: str) -> tuple[str, str]:
    """Names of the phase without a gate and of that with it; variants that carry their adapters bear them."""
    slug = _slug(gate)
    return f"without-{slug}", f"with-{slug}"


def equal_rows(grown: Rows) -> dict[str, int]:
    """To how many training rows phases are cut, so that all have as many as that with the fewest."""
    least = min(grown.values())
    return {name: least for name, rows in grown.items() if rows > least}


def ablate(recipe: Recipe, gate: str, train_rows: Rows = AS_GROWN) -> Recipe:
    """The recipe whose two phases differ in one gate alone, with the finding that the gate helps.

    It bears a name of its own, so that neither its adapters nor its datasets stand among the recipe's.
    What tells nothing of the gate is left out: other variants, ablations of inference, probes, the sheet. The
    alarm is off, since rows without the gate may well be worse than it allows.

    Args:
        recipe: of one tuning.
        gate: see `gate_section`.
        train_rows: to which phases are cut; those that are absent learn all of their rows.

    Raises:
        RecipeError: There is no such gate, it lacks something in this recipe, or the recipe has phases
            already or learns nothing.
    """
    gate = gate_section(gate)
    _check_tuned_once(recipe)
    if gate == "blind" and not recipe.curation.blind.drop:
        raise RecipeError(
            "curation.blind.drop is false: the gate refuses nothing; --set curation.blind.drop=true"
        )
    content = recipe.model_dump(mode="json", exclude_none=True)
    curation = {**content["curation"], "alarm": {**content["curation"].get("alarm", {}), "enabled": False}}
    off, on = (_switched(curation, gate, is_on) for is_on in (False, True))
    _validated({**content, "curation": on}, gate)  # what the gate lacks is told before phases are
    curations = dict(zip(phases_of(gate), (off, on), strict=True))
    content |= {
        "name": _name(recipe.name, gate),
        "title": f"{recipe.title[:150]}, without and with the gate {gate}"[:200],
        "phases": [
            {"name": name, "curation": own, **_cut(content["dataset"], train_rows.get(name, 0))}
            for name, own in curations.items()
        ],
        "variants": [*_tuned(curations, content["finetune"]["base"]), *_judges(content, curations)],
        "findings": [_finding(recipe.task, gate)],
        "inference": {**content["inference"], "ablations": []},
    }
    for name in ("probes", "sheet"):
        content.pop(name, None)
    return _validated(content, gate)


def _validated(content: dict[str, Any], gate: str) -> Recipe:
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise explain(error, Recipe, [Layer(f"with the gate {gate}", content)]) from None


def _check_tuned_once(recipe: Recipe) -> None:
    if recipe.phases:
        raise RecipeError(
            f"{recipe.name} has the phases {', '.join(one.name for one in recipe.phases)}: a gate is "
            "measured on one tuning; write a recipe of the phase that is meant"
        )
    if not recipe.tuned_phases():
        raise RecipeError(
            f"{recipe.name} learns nothing (source.kind is {recipe.source.kind}), so that no gate could "
            "help; choose a recipe that grows or reads rows to learn from"
        )


def _switched(curation: Mapping[str, Any], gate: str, on: bool) -> dict[str, Any]:
    """A recipe's gates, one of them on or off whatever it was."""
    if gate in Curation.model_fields:
        return {**curation, gate: {**curation.get(gate, {}), "enabled": on}}
    plugins = dict(curation.get(_PLUGINS, {}))
    own = plugins.pop(gate, {})
    if on:
        declared = settings_of(load_plugin("gates", gate, Curation.model_fields)).model_fields
        plugins[gate] = {**own, "enabled": True} if "enabled" in declared else own
    return {**curation, _PLUGINS: plugins}


def _cut(dataset: Mapping[str, Any], train_rows: int) -> dict[str, Any]:
    return {"dataset": {**dataset, "train_rows": train_rows}} if train_rows else {}


def _tuned(phases: Mapping[str, Any], base: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "role": "base", "model": base, "adapter": True, "phase": name} for name in phases]


def _judges(content: Mapping[str, Any], curations: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The recipe's variants that gates ask."""
    sections = [own.get(name, {}) for own in curations.values() for name in _JUDGES]
    asked = {section.get("variant") for section in sections if section.get("enabled")}
    return [one for one in content["variants"] if one["name"] in asked]


def _finding(task: str, gate: str) -> dict[str, Any]:
    without, with_it = phases_of(gate)
    name = f"{_slug(gate)}-helps"
    return {"name": name, "measure": kind_of(task).main_measure, "a": without, "b": with_it}


def _name(recipe: str, gate: str) -> str:
    ending = f"-ablate-{_slug(gate)}"
    return f"{recipe[: _MOST_NAME_CHARS - len(ending)]}{ending}"


def _slug(gate: str) -> str:
    return gate.lower().replace("_", "-").replace(".", "-")
