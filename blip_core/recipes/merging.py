"""How sparse patches are laid over one another."""

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]

_IDENTITY = ("kind", "id", "name")  # a table that names another one is another thing, not a change to it
_EITHER_OR = ("preset", "pattern")


def merge(base: Table, patch: Table) -> dict[str, Any]:
    """Lay a patch over a table: tables are merged, everything else is replaced.

    A table whose `kind`, `id` or `name` changes is replaced as a whole, so that nothing of the former
    source, checkpoint or plug-in clings to the new one; of `preset` and `pattern` the one that is set drives
    out the other.
    """
    merged = dict(base)
    for key, value in patch.items():
        merged[key] = _replaced(merged.get(key), value)
    for this, other in (_EITHER_OR, _EITHER_OR[::-1]):
        if this in patch and other not in patch:
            merged.pop(other, None)
    return merged


def _replaced(before: Any, value: Any) -> Any:
    if not isinstance(before, Mapping) or not isinstance(value, Mapping) or _names_another(before, value):
        return value
    return merge(before, value)


def _names_another(before: Table, value: Table) -> bool:
    return any(key in value and key in before and value[key] != before[key] for key in _IDENTITY)
