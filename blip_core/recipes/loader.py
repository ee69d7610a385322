"""Finds recipes and profiles, lays them over one another and checks the result.

Later layers win: schema defaults < recipe < profile < the recipe's own `[profiles.NAME]` < `--set`.
"""

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import reduce
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from blip_core.errors import RecipeError
from blip_core.recipes.changing import changes_over, with_tables
from blip_core.recipes.explaining import Layer, explain
from blip_core.recipes.findings import without_overtaken
from blip_core.recipes.merging import merge
from blip_core.recipes.origins import DEFAULT, origins_of, write_with_origins
from blip_core.recipes.overrides import parse_override, told_override
from blip_core.recipes.phases import PHASE_SECTIONS
from blip_core.recipes.reading import parse_toml
from blip_core.recipes.recipe import Recipe

DEFAULT_PROFILE = "pocket"

FORMAT = 1  # of recipe files; one that breaks what earlier ones mean names the next in its first line
_SUFFIX = ".toml"


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    return _names_in(_recipes_folder())


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles."""
    return _names_in(_profiles_folder())


def recipe_text(name: str) -> str:
    """A shipped recipe as it was written: what it leaves out is taken from the layers below.

    Raises:
        RecipeError: None of that name ships.
    """
    names = recipe_names()
    if name not in names:
        raise RecipeError(_no_such("shipped recipe", name, names))
    return (_recipes_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def load_recipe(name_or_path: str, profile: str | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Resolve a recipe under a profile.

    Args:
        name_or_path: A shipped recipe's name, or the path of a TOML file. A file that holds a resolved recipe
            is complete: its profile is not laid over it again.
        profile: A shipped profile's name, or the path of a TOML file; absent, the resolved recipe's own, else
            pocket.
        overrides: Texts of the form `section.field=value`, each value written as TOML.

    Raises:
        RecipeError: A name that is unknown, a file that cannot be read, a field that does not exist, a value
            that is not allowed, or fields that contradict each other.
    """
    chosen, layers, changes = _layers(name_or_path, profile, overrides)
    merged = _over(*changes_over(_lay(layers), changes))
    if "phase" in merged:
        raise RecipeError(f"phase is {merged['phase']!r}: a run sets it; phases are written under [[phases]]")
    return _validate(_complete(merged, chosen), [*layers, *changes])


def show_recipe(name_or_path: str, profile: str | None = None, overrides: Sequence[str] = ()) -> str:
    """A resolved recipe as TOML, each value with where it came from; loading this text gives an equal recipe.

    Raises:
        RecipeError: See `load_recipe`.
    """
    recipe = load_recipe(name_or_path, profile, overrides)
    _, layers, changes = _layers(name_or_path, profile, overrides)
    _, patch = changes_over(_lay(layers), changes)
    origins = origins_of(layers, changes, patch) | {("profile",): "--profile" if profile else DEFAULT}
    content = recipe.model_dump(mode="json", exclude_none=True)
    return write_with_origins(content, origins)


def _layers(
    name_or_path: str, profile: str | None, overrides: Sequence[str]
) -> tuple[str, list[Layer], list[Layer]]:
    """Name of the profile, the layers, and what was changed last."""
    content, origin = _read(name_or_path, "recipe", _recipes_folder())
    changes = [with_tables(Layer(told_override(text), parse_override(text))) for text in overrides]
    if content.get("profile"):
        return _resolved_profile(content, origin, profile), [Layer(origin, content)], changes
    chosen = profile or DEFAULT_PROFILE
    layers = [with_tables(layer) for layer in _profiled_layers(content, origin, chosen)]
    return Path(chosen).stem, layers, changes


def _lay(layers: Sequence[Layer]) -> dict[str, Any]:
    return reduce(_over, (layer.patch for layer in layers), {})


def _over(below: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a patch over what is below it; findings about what it takes away go, unless it declares its own."""
    merged = merge(below, patch)
    if isinstance(below.get("findings"), list) and "findings" not in patch:
        merged["findings"] = without_overtaken(below["findings"], below, merged)
    return merged


def _profiled_layers(content: dict[str, Any], origin: str, profile: str) -> list[Layer]:
    name = Path(profile).stem
    patch, profile_origin = _read(profile, "profile", _profiles_folder())
    own_patches = _own_patches(content, origin, name)
    return [
        Layer(origin, {key: value for key, value in content.items() if key != "profiles"}),
        Layer(profile_origin, patch),
        Layer(f"{origin}, [profiles.{name}]", own_patches.get(name, {})),
    ]


def _own_patches(content: Mapping[str, Any], origin: str, profile: str) -> Mapping[str, Any]:
    patches = content.get("profiles", {})
    if not isinstance(patches, Mapping) or not all(isinstance(patch, Mapping) for patch in patches.values()):
        raise RecipeError(f"profiles (in {origin}): allowed are tables, one a profile: [profiles.{profile}]")
    known = (*profile_names(), profile)
    for name in patches:
        if name not in known:
            raise RecipeError(f"profiles.{name} (in {origin}): {_no_such('profile', name, known)}")
    return patches


def _resolved_profile(content: Mapping[str, Any], origin: str, profile: str | None) -> str:
    own = str(content["profile"])
    if profile is None or Path(profile).stem == own:
        return own
    raise RecipeError(
        f"profile is {profile!r}, but {origin} was resolved for {own!r} and is complete; "
        f"run it with that profile, or start from the recipe it was made of"
    )


def _complete(merged: dict[str, Any], profile: str) -> dict[str, Any]:
    """Name the profile, make the tables of phases whole, give variants the model and phase they stand for."""
    variants = merged.get("variants")
    finetune = merged.get("finetune")
    base = finetune.get("base") if isinstance(finetune, Mapping) else None
    models = {
        "base": Recipe.model_fields["finetune"].default.base.model_dump() if base is None else base,
        "baseline": merged.get("baseline", Recipe.model_fields["baseline"].default.model_dump()),
    }
    phases = _each_laid(merged)
    told = [phase.get("name") for phase in phases if isinstance(phase, Mapping)]
    names = [name for name in told if isinstance(name, str)]  # others are refused as names, not in variants
    if isinstance(variants, list):
        merged["variants"] = [_with_phase(_with_model(variant, models), names) for variant in variants]
    return merged | {"profile": profile} | ({"phases": phases} if phases else {})


def _each_laid(merged: Mapping[str, Any]) -> list[Any]:
    """The phases of a recipe, each of their tables laid over the recipe's own of the same name."""
    phases = merged.get("phases")
    if not isinstance(phases, list):
        return []  # none, or what is refused when it is validated
    return [_laid(phase, merged) if isinstance(phase, Mapping) else phase for phase in phases]


def _laid(phase: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    tables = {name: merged.get(name) for name in PHASE_SECTIONS if isinstance(phase.get(name), Mapping)}
    return {**phase, **{name: merge({name: own}, {name: phase[name]})[name] for name, own in tables.items()}}


def _with_phase(variant: Any, names: Sequence[str]) -> Any:
    """Let a variant that names a phase, or carries the last one's adapter, say so in its own field."""
    if not names or not isinstance(variant, Mapping) or "phase" in variant:
        return variant
    adapter = variant.get("adapter")
    if adapter is not True and adapter not in names:
        return variant
    return {**variant, "adapter": True, "phase": names[-1] if adapter is True else adapter}


def _with_model(variant: Any, models: Mapping[str, Any]) -> Any:
    if not isinstance(variant, Mapping) or "model" in variant or variant.get("role") not in models:
        return variant
    return {**variant, "model": models[variant["role"]]}


def _validate(content: dict[str, Any], layers: list[Layer]) -> Recipe:
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise explain(error, Recipe, [*layers, Layer("the merged recipe", content)]) from None


def _recipes_folder() -> Traversable:
    return files("blip_core.recipes") / "shipped"


def _profiles_folder() -> Traversable:
    return _recipes_folder() / "profiles"


def _names_in(folder: Traversable) -> tuple[str, ...]:
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def _read(name_or_path: str, what: str, folder: Traversable) -> tuple[dict[str, Any], str]:
    if name_or_path.endswith(_SUFFIX) or os.sep in name_or_path:
        return _parse(Path(name_or_path).expanduser(), what), name_or_path
    names = _names_in(folder)
    if name_or_path not in names:
        raise RecipeError(_no_such(what, name_or_path, names))
    return _parse(folder / f"{name_or_path}{_SUFFIX}", what), f"{what} {name_or_path}"


def _parse(file: Traversable | Path, what: str) -> dict[str, Any]:
    content = _parsed(file, what)
    written = content.pop("format", FORMAT)
    if not isinstance(written, int) or isinstance(written, bool) or not 1 <= written <= FORMAT:
        raise RecipeError(
            f"{what} {file}: has format {written}, and this blip-foundry reads up to {FORMAT}; if a newer "
            "one wrote it, install that, else leave the line out"
        )
    return content


def _parsed(file: Traversable | Path, what: str) -> dict[str, Any]:
    try:
        return parse_toml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{what} {file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{what} {file}: is not UTF-8 text (byte {error.start})") from error
    except ValueError as error:
        raise RecipeError(f"{what} {file}: is not valid TOML: {error}") from error


def _no_such(what: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? Otherwise " if near else ""
    own = f", or the path of a {_SUFFIX} file" if what in ("recipe", "profile") else ""
    return f"there is no {what} {name!r}; {hint}there is {', '.join(known)}{own}"
