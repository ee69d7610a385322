"""What the type of a column says of its values, and the values as it means them.

Parquet and Arrow files bring types. Those that the library `datasets` wrote bring its features, too, as JSON
in the metadata of their schema: in them alone stand the names of class labels and what is a picture.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import pyarrow as pa
import pyarrow.types as arrow

ColumnKind = Literal[
    "untyped",
    "any",
    "nothing",
    "text",
    "integer",
    "number",
    "boolean",
    "class-label",
    "date",
    "time",
    "bytes",
    "image",
    "list",
    "struct",
    "other",
]
"""What a column holds, and how its values come in a row (a value that is missing always comes as None):

untyped      a text that may mean anything, a number or a list in JSON, too: CSV and TSV have no types
any          what JSON or a spreadsheet gave: every value brings its own type
nothing      None throughout
text         str
integer      int
number       float or Decimal
boolean      bool
class-label  str: the name of the class. A number that names none, as the -1 of hidden labels, comes as None
date         date or datetime
time         time or timedelta
bytes        bytes
image        a mapping of `bytes` and `path`, as the library `datasets` stores an `Image`
list         list; see `ColumnType.item`
struct       dict; see `ColumnType.fields`
other        whatever pyarrow makes of it
"""

_FEATURES_KEY = b"huggingface"
_NAMES_SHOWN = 4  # of classes, in a message
_IMAGE_FIELDS = {"bytes", "path"}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column.

    Attributes:
        kind: see `ColumnKind`.
        names: of the classes of a `class-label`, in the order of their numbers.
        item: of a `list`, what its elements are; None else.
        fields: of a `struct`, what its parts are.
    """

    kind: ColumnKind
    names: tuple[str, ...] = ()
    item: "ColumnType | None" = None
    fields: Mapping[str, "ColumnType"] = field(default_factory=dict)

    @property
    def is_nameless(self) -> bool:
        """Whether it is a class label whose names only repeat its numbers."""
        return self.kind == "class-label" and self.names == tuple(map(str, range(len(self.names))))

    @property
    def holds_pictures(self) -> bool:
        """Whether each value is a list of pictures."""
        return self.item is not None and self.item.kind == "image"

    def fits(self, other: "ColumnType") -> bool:
        """Whether values of both mean the same; where one holds nothing, they do."""
        if "nothing" in (self.kind, other.kind):
            return True
        if (self.kind, self.names, self.fields.keys()) != (other.kind, other.names, other.fields.keys()):
            return False
        if self.item and other.item and not self.item.fits(other.item):
            return False
        return all(kind.fits(other.fields[name]) for name, kind in self.fields.items())

    def describe(self) -> str:
        """In a word or two: `text`, `class-label (cat, dog)`, `list of integer`."""
        if self.names:
            more = ", ..." if len(self.names) > _NAMES_SHOWN else ""
            return f"{self.kind} ({', '.join(self.names[:_NAMES_SHOWN])}{more})"
        return f"{self.kind} of {self.item.describe()}" if self.item else self.kind


UNTYPED = ColumnType("untyped")
ANY = ColumnType("any")


def schema_types(schema: pa.Schema, features: Mapping[str, Any] | None = None) -> dict[str, ColumnType]:
    """Types of the columns of an Arrow schema.

    Args:
        schema: of a Parquet or Arrow file.
        features: of the library `datasets`, as its `Features.to_dict` gives them, where they stand beside the
            file; absent, those of the schema's metadata are taken.
    """
    told = schema_features(schema) if features is None else features
    return {one.name: arrow_type(one.type, told.get(one.name)) for one in schema}


def schema_features(schema: pa.Schema) -> Mapping[str, Any]:
    """Features that the library `datasets` left in the metadata of a schema; none where it did not."""
    try:
        features = json.loads((schema.metadata or {})[_FEATURES_KEY])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, Mapping) else {}


def arrow_type(kind: pa.DataType, feature: Any = None) -> ColumnType:
    """The type of an Arrow column, and what a feature of `datasets` adds to it."""
    named = feature.get("_type") if isinstance(feature, Mapping) else None
    if isinstance(kind, pa.UuidType):
        return ColumnType("text")
    if isinstance(kind, pa.Bool8Type):
        return ColumnType("boolean")
    if isinstance(kind, pa.BaseExtensionType):
        return arrow_type(kind.storage_type, feature)
    if arrow.is_dictionary(kind) or arrow.is_run_end_encoded(kind):
        return arrow_type(kind.value_type, feature)
    if named == "ClassLabel" and arrow.is_integer(kind):
        return ColumnType("class-label", names=_class_names(feature))
    if arrow.is_struct(kind):
        return _struct_type(kind, feature)
    if _is_list(kind):
        return ColumnType("list", item=arrow_type(kind.value_type, _item_feature(feature)))
    return ColumnType(_plain_kind(kind))


def _class_names(feature: Mapping[str, Any]) -> tuple[str, ...]:
    names = feature.get("names")
    if isinstance(names, Sequence) and not isinstance(names, str):
        return tuple(map(str, names))
    count = feature.get("num_classes")  # labels without names are known by their numbers
    return tuple(map(str, range(count))) if isinstance(count, int) else ()


def _struct_type(kind: pa.StructType, feature: Any) -> ColumnType:
    inner = [kind.field(place) for place in range(kind.num_fields)]
    if {one.name for one in inner} == _IMAGE_FIELDS and any(_is_binary(one.type) for one in inner):
        return ColumnType("image")
    told = feature if isinstance(feature, Mapping) else {}
    if told.get("_type") == "Sequence" and isinstance(told.get("feature"), Mapping):
        # `datasets` once wrote a sequence of structs as a struct of sequences
        told = {name: {"_type": "Sequence", "feature": one} for name, one in told["feature"].items()}
    return ColumnType("struct", fields={one.name: arrow_type(one.type, told.get(one.name)) for one in inner})


def _item_feature(feature: Any) -> Any:
    if isinstance(feature, Mapping):
        return feature.get("feature")
    return feature[0] if isinstance(feature, list) and feature else None


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        arrow.is_list(kind)
        or arrow.is_large_list(kind)
        or arrow.is_fixed_size_list(kind)
        or arrow.is_list_view(kind)
        or arrow.is_large_list_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(arrow.is_string(kind) or arrow.is_large_string(kind) or arrow.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        arrow.is_binary(kind)
        or arrow.is_large_binary(kind)
        or arrow.is_fixed_size_binary(kind)
        or arrow.is_binary_view(kind)
    )


def _plain_kind(kind: pa.DataType) -> ColumnKind:
    kinds: tuple[tuple[ColumnKind, bool], ...] = (
        ("nothing", arrow.is_null(kind)),
        ("boolean", arrow.is_boolean(kind)),
        ("integer", arrow.is_integer(kind)),
        ("number", arrow.is_floating(kind) or arrow.is_decimal(kind)),
        ("text", _is_text(kind)),
        ("bytes", _is_binary(kind)),
        ("date", arrow.is_date(kind) or arrow.is_timestamp(kind)),
        ("time", arrow.is_time(kind) or arrow.is_duration(kind)),
        ("struct", arrow.is_map(kind)),
    )
    return next((name for name, holds in kinds if holds), "other")


def value_of(kind: ColumnType, value: Any) -> Any:
    """A value as its type means it: of a class label its name, of a list with one picture that picture.

    Args:
        kind: of the value.
        value: as pyarrow gives it.
    """
    if value is None:
        return None
    if isinstance(value, UUID):
        return str(value)
    if kind.kind == "class-label":
        return kind.names[value] if 0 <= value < len(kind.names) else None
    if kind.holds_pictures:
        return value[0] if len(value) == 1 else value or None
    if kind.item is not None:
        return [value_of(kind.item, one) for one in value]
    if kind.fields:
        return {name: value_of(kind.fields[name], one) for name, one in value.items()}
    return value
