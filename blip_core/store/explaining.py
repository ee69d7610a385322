"""Why a stage would run: what parts its inputs from those of the nearest thing that is kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blip_core import strict_json
from blip_core.store.artifact import Artifact
from blip_core.store.keys import KEY_INPUTS
from blip_core.store.lineage import made_at

_CODE = frozenset({"version", "code_version"})
_FIELDS = "recipe"  # input that holds sections of the recipe


@dataclass(frozen=True, slots=True)
class Moved:
    """One input that is another now.

    Attributes:
        kind: `field` of the recipe, `code` of the stage, `model`, or `input` that an earlier stage makes.
        name: of the field, model or input.
        before: JSON value; None where there was none.
        after: JSON value; None where there is none now.
    """

    kind: str
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a stage would run.

    Attributes:
        nearest: what is kept of its kind and was made of nearly the same; None where there is nothing.
        moved: what parts the two.
    """

    nearest: Artifact | None
    moved: tuple[Moved, ...]


def explain(inputs: Mapping[str, Any], kept: Iterable[Artifact]) -> Explanation:
    """Find what is kept with the fewest other inputs, the newest of several, and tell these.

    Args:
        inputs: of the stage as it would run, see `Store.inputs_of`.
        kept: artefacts of its kind; those whose manifests do not tell their inputs are passed over.
    """
    known = [one for one in kept if isinstance(one.metadata.get(KEY_INPUTS), Mapping)]
    told = [(one, moved_between(one.metadata[KEY_INPUTS], inputs)) for one in known]
    if not told:
        return Explanation(None, ())
    nearest, moved = min(told, key=lambda pair: (len(pair[1]), -made_at(pair[0]).timestamp()))
    return Explanation(nearest, tuple(moved))


def moved_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Moved]:
    """Inputs that differ, by name: fields of the recipe first, then models, inputs and code."""
    one, two = _flat(before), _flat(after)
    names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    moved = [_moved(name, one.get(name), two.get(name)) for name in names]
    return sorted(moved, key=lambda found: ("field", "model", "input", "code").index(found.kind))


def moved_words(moved: Moved) -> str:
    """One line on what moved."""
    if moved.kind == "code":
        return f"the code of the stage: version {_shown(moved.before)}, now {_shown(moved.after)}"
    if moved.kind == "input":
        return f"its input {moved.name} is another"
    return f"{moved.name}: {_shown(moved.before)}, now {_shown(moved.after)}"


def _moved(name: str, before: Any, after: Any) -> Moved:
    first, _, rest = name.partition(".")
    if first == _FIELDS:
        return Moved("field", rest or name, before, after)
    if name in _CODE:
        return Moved("code", name, before, after)
    is_digest = any(isinstance(one, str) and _is_digest(one) for one in (before, after))
    return Moved("input" if is_digest else "model", name, before, after)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and (value or not name):
        below = (_flat(one, f"{name}.{key}" if name else key) for key, one in value.items())
        return {path: one for found in below for path, one in found.items()}
    return {name: value}


def _shown(value: Any) -> str:
    text = strict_json.dumps(value, ensure_ascii=False) if value is not None else "nothing"
    return text if len(text) <= 80 else f"{text[:79]}…"
