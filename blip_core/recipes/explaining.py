"""Turns what pydantic finds wrong into one text that a person can act on."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from blip_core.errors import RecipeError
from blip_core.recipes.checkpoint import Checkpoint

Path = tuple[str | int, ...]

_SHOWN_CHARACTERS = 80
_CUSTOM = "value_error"
_SIMPLE = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "",  # TOML has no null: an absent field is written by leaving it out
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One patch that went into a recipe, and where it came from."""

    origin: str
    patch: Mapping[str, Any]


def explain(error: ValidationError, root: type[BaseModel], layers: Sequence[Layer]) -> RecipeError:
    """Tell, for each field that does not hold, what was given and where, and what is allowed.

    Args:
        layers: What was laid over one another, first to last, and after it the merged content itself.
    """
    content = layers[-1].patch
    lines: dict[str, None] = {}  # a union reports each of its members: one line a field is enough
    problems = error.errors(include_url=False)
    for problem in problems:
        if problem["type"] == "too_short" and _is_told_by_items(problem["loc"], problems):
            continue  # pydantic counts only the items that hold; those that do not are told on their own
        path = _real_path(problem["loc"], content, is_field=problem["type"] != _CUSTOM)
        lines[_explain_one(problem, path, root, layers)] = None
    return RecipeError("\n".join(lines))


def _is_told_by_items(loc: Sequence[str | int], problems: Sequence[Any]) -> bool:
    """Whether a list is too short because some of its items do not hold."""
    return any(len(one["loc"]) > len(loc) and tuple(one["loc"][: len(loc)]) == tuple(loc) for one in problems)


def _explain_one(problem: Any, path: Path, root: type[BaseModel], layers: Sequence[Layer]) -> str:
    where, origin = _dotted(path), _origin(path, layers)
    kind = problem["type"]
    if kind == _CUSTOM:
        prefix = f"{where}: " if where else ""
        return f"{prefix}{problem['ctx']['error']}{origin}"
    if kind == "extra_forbidden":
        return f"{where}{origin}: there is no such field; {_suggest(path, root)}"
    field = field_at(path, root)
    allowed = allowed_words(field) if field else problem["msg"]
    told = problem.get("ctx", {})
    teller = str(told.get("discriminator", "")).strip("'")
    if kind == "union_tag_not_found" and isinstance(path[-1], int):
        return f"{where}.{teller} is missing{origin}; it says what the table holds"
    if kind in ("missing", "union_tag_not_found"):
        return f"{where} is missing; allowed: {allowed}"
    if kind == "union_tag_invalid":
        return f"{where}.{teller} is {told['tag']!r}{origin}; allowed: {told['expected_tags']}"
    return f"{where} is {_shown(problem['input'])}{origin}; allowed: {allowed}"


def _real_path(loc: Sequence[str | int], data: Any, *, is_field: bool) -> Path:
    """Drop the names of union members that pydantic weaves into a location.

    Args:
        loc: as pydantic tells it.
        data: what was validated.
        is_field: whether the last name is a field's even where the data lack it, because it is missing.
    """
    path: list[str | int] = []
    for position, part in enumerate(loc):
        is_missing = is_field and position == len(loc) - 1
        if isinstance(data, Mapping) and (part in data or is_missing):
            path.append(part)
            data = data.get(part)
        elif isinstance(data, Sequence) and not isinstance(data, str) and isinstance(part, int):
            path.append(part)
            data = data[part] if part < len(data) else None
    return tuple(path)


def _origin(path: Path, layers: Sequence[Layer]) -> str:
    names = [part for part in path if isinstance(part, str)]
    for layer in reversed(layers[:-1]):
        if names and _holds(layer.patch, names):
            return f" (in {layer.origin})"
    return ""


def _holds(patch: Any, names: list[str]) -> bool:
    for name in names:
        if isinstance(patch, Sequence) and not isinstance(patch, str):
            return any(_holds(item, [name]) for item in patch)
        if not isinstance(patch, Mapping) or name not in patch:
            return False
        patch = patch[name]
    return True


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Sections that a field of a type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def _candidates(path: Path, root: type[BaseModel]) -> list[type[BaseModel]]:
    """Sections that may stand at a path."""
    models = [root]
    for part in path:
        if isinstance(part, int):
            continue
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        models = [found for field in fields for found in models_in(field.annotation)]
    return models


def field_at(path: Path, root: type[BaseModel]) -> FieldInfo | None:
    """The field that a path of names leads to; None where there is none."""
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return None
    for model in _candidates(tuple(names[:-1]), root):
        if names[-1] in model.model_fields:
            return model.model_fields[names[-1]]
    return None


def field_names(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Dotted names of all fields that an override can name; a list of tables is one field, a section none."""
    for name, field in model.model_fields.items():
        sections = models_in(field.annotation)
        is_list = get_origin(field.annotation) is tuple
        if is_list or not sections or Checkpoint in sections:  # a checkpoint may be given by its id alone
            yield f"{above}{name}"
        for section in sections if not is_list else ():
            yield from field_names(section, f"{above}{name}.")


def _suggest(path: Path, root: type[BaseModel]) -> str:
    known = sorted({name for model in _candidates(path[:-1], root) for name in model.model_fields})
    near = difflib.get_close_matches(str(path[-1]), known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"allowed: {', '.join(known)}" if known else "nothing stands below it"


def allowed_words(field: FieldInfo) -> str:
    """What a field may hold, in words: `a whole number from 1, up to 50`."""
    allowed = " or ".join(dict.fromkeys(filter(None, _kinds(field.annotation))))
    bounds = _bounds(field)
    return f"{allowed} {bounds}" if bounds else allowed


def _kinds(annotation: Any) -> list[str]:
    if annotation in _SIMPLE:
        return [_SIMPLE[annotation]]
    if get_origin(annotation) is Literal:
        return ["one of " + ", ".join(str(value) for value in get_args(annotation))]
    if get_origin(annotation) is tuple:
        return ["a list of tables"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ["a table with " + ", ".join(annotation.model_fields)]
    return [kind for argument in get_args(annotation) for kind in _kinds(argument)]


def _bounds(field: FieldInfo) -> str:
    phrases: list[str] = []
    for constraint in field.metadata:
        match constraint:
            case annotated_types.Ge(ge):
                phrases.append(f"from {ge}")
            case annotated_types.Gt(gt):
                phrases.append(f"above {gt}")
            case annotated_types.Le(le):
                phrases.append(f"up to {le}")
            case annotated_types.Lt(lt):
                phrases.append(f"below {lt}")
            case annotated_types.MultipleOf(factor):
                phrases.append(f"in steps of {factor}")
            case annotated_types.MinLen(1):
                phrases.append("that is not empty")
            case annotated_types.MaxLen(length):
                phrases.append(f"of at most {length} characters")
            case _ if str(getattr(constraint, "pattern", "")).startswith("^[a-z0-9]"):
                phrases.append("of lowercase letters, digits and dashes")
    return ", ".join(phrases)


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
