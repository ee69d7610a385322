"""How `--set` changes what recipe and profile say: whatever the order, and of a table only what is named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, get_origin

from pydantic import BaseModel

from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.explaining import Layer, models_in
from blip_core.recipes.merging import Table, combine
from blip_core.recipes.recipe import Recipe

Path = tuple[str, ...]


def with_tables(layer: Layer) -> Layer:
    """A layer in which every checkpoint that is written by its id alone is the table it stands for."""
    patch: Any = layer.patch
    for path in CHECKPOINT_FIELDS:
        if isinstance(_at(patch, path), str):
            patch = _put(patch, path, {"id": _at(patch, path)})
    return replace(layer, patch=patch)


def changes_over(below: Table, changes: Sequence[Layer]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changes are laid over, and all of them as one patch.

    A table that nobody wrote is its default, so that one of its fields may be changed alone. Another
    checkpoint is loaded in the dtype of the one that it replaces, unless a change says otherwise.

    Args:
        below: what recipe and profile say.
        changes: each a layer of its own; of a field that is named twice the last one counts.
    """
    patch: dict[str, Any] = reduce(combine, (change.patch for change in changes), {})
    filled = _filled(below, patch, Recipe.model_fields)
    for path in CHECKPOINT_FIELDS:
        before, named = _at(filled, path), _at(patch, path)
        if isinstance(before, Mapping) and isinstance(named, Mapping) and "id" in named and "dtype" in before:
            patch = _put(patch, path, {"dtype": before["dtype"], **named})
    return filled, patch


def _checkpoint_fields(model: type[BaseModel], above: Path = ()) -> Iterator[Path]:
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is tuple:
            continue  # a list is given whole
        sections = models_in(field.annotation)
        if Checkpoint in sections:
            yield (*above, name)
            continue
        for section in sections:
            yield from _checkpoint_fields(section, (*above, name))


CHECKPOINT_FIELDS = tuple(dict.fromkeys(_checkpoint_fields(Recipe)))


def _filled(below: Table, patch: Table, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is below, with what schema defaults say of tables that are changed in part and written nowhere."""
    filled = dict(below)
    for name, change in patch.items():
        default = fields[name].default if name in fields else None
        if not isinstance(change, Mapping) or not isinstance(default, BaseModel):
            continue
        written = filled.setdefault(name, default.model_dump(mode="json", exclude_unset=True))
        if isinstance(written, Mapping):
            filled[name] = _filled(written, change, type(default).model_fields)
    return filled


def _at(table: Any, path: Path) -> Any:
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table


def _put(table: Table, path: Path, value: Any) -> dict[str, Any]:
    name, *rest = path
    return {**table, name: _put(table[name], tuple(rest), value) if rest else value}
