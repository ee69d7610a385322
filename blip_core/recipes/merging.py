"""How sparse patches are laid over one another."""

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]

_IDENTITY = ("kind", "id", "name")  # a table that names another one is another thing, not a change to it
_EITHER_OR = ("preset", "pattern")
_FORMS = ("id", "url")  # a model is loaded from a checkpoint, or stands behind a server


def merge(base: Table, patch: Table) -> dict[str, Any]:
    """Lay a patch over a table: tables are merged, everything else is replaced.

    A table whose `kind`, `id` or `name` changes is replaced as a whole, so that nothing of the former
    source, checkpoint or plug-in clings to the new one, and so is a checkpoint by a server and a server by a
    checkpoint; of `preset` and `pattern` the one that is set drives out the other.
    """
    merged = dict(base)
    for key, value in patch.items():
        merged[key] = _replaced(merged.get(key), value)
    for this, other in (_EITHER_OR, _EITHER_OR[::-1]):
        if this in patch and other not in patch:
            merged.pop(other, None)
    return merged


def combine(one: Table, other: Table) -> dict[str, Any]:
    """Both patches as one: of a field that both name the other's, and nothing is driven out.

    Where one holds a table and the other does not, one of them is wrong: the table stays, and is refused.
    """
    both = dict(one)
    for key, value in other.items():
        before = both.get(key)
        if isinstance(before, Mapping):
            both[key] = combine(before, value) if isinstance(value, Mapping) else before
        else:
            both[key] = value
    return both


def _replaced(before: Any, value: Any) -> Any:
    if not isinstance(before, Mapping) or not isinstance(value, Mapping) or _names_another(before, value):
        return value
    return merge(before, value)


def _names_another(before: Table, value: Table) -> bool:
    if any(key in value and key in before and value[key] != before[key] for key in _IDENTITY):
        return True
    here, there = _FORMS
    return _takes_form(here, there, before, value) or _takes_form(there, here, before, value)


def _takes_form(form: str, other: str, before: Table, value: Table) -> bool:
    return form in value and form not in before and other in before and other not in value
