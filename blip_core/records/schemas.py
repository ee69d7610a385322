"""Arrow schemas of rows: what their files hold, in which columns."""

from collections.abc import Collection, Iterable
from dataclasses import fields

import pyarrow as pa

from blip_core.records.rejections import Rejection
from blip_core.records.rows import (
    NAMED,
    WITH_OPTIONS,
    Example,
    Label,
    Picture,
    Prediction,
    Row,
    Scene,
)

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def example_schema(examples: Iterable[Example]) -> pa.Schema:
    """Schema of a file of examples: without what none of them has, as before there was any."""
    rows = list(examples)
    lacking = [name for name in sorted(Example.LATER) if not any(getattr(row, name) for row in rows)]
    return pa.schema([one for one in EXAMPLE_SCHEMA if one.name not in lacking])


def prediction_schema(tasks: Iterable[str], found: Collection[str] = ()) -> pa.Schema:
    """Schema of a file of predictions: without what none of its rows has, as before there was any.

    Args:
        tasks: of the rows; where all have options there are no columns for texts.
        found: which of `scores` and `attributes` some row has.
    """
    if set(tasks) <= {WITH_OPTIONS}:
        return PREDICTION_SCHEMA
    return pa.schema([one for one in _WHOLE_PREDICTION if one.name not in NAMED or one.name in found])


def found_of(rows: Iterable[Prediction]) -> frozenset[str]:
    """Which of `scores` and `attributes` some prediction has; see `prediction_schema`."""
    return frozenset(name for row in rows for name in NAMED if getattr(row, name))


def _named(value: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([("name", pa.string()), ("value", value)]))


def _schema(text: str = "", integers: str = "", floats: str = "", binary: str = "") -> dict[str, pa.DataType]:
    columns: dict[str, pa.DataType] = {name: pa.string() for name in text.split()}
    columns |= {name: pa.int64() for name in integers.split()}
    columns |= {name: pa.float64() for name in floats.split()}
    return columns | {name: pa.binary() for name in binary.split()}


def _ordered(record: type[Row], columns: dict[str, pa.DataType]) -> pa.Schema:
    names = [one.name for one in fields(record)]  # type: ignore[arg-type]
    return pa.schema([(name, columns[name]) for name in names])


SCENE_SCHEMA = _ordered(Scene, _schema("id category text", "call line"))
PICTURE_SCHEMA = _ordered(
    Picture, _schema("id scene_id category scene sha256", "seed width_px height_px", binary="png")
)
LABEL_SCHEMA = _ordered(
    Label,
    _schema("id picture_id description question a b c d answer", "attempt")
    | {"scores": _named(pa.float64())},
)
REJECTION_SCHEMA = _ordered(Rejection, _schema("id stage reason detail"))
EXAMPLE_SCHEMA = _ordered(
    Example,
    _schema(
        "id picture_id group category task description question a b c d answer target scene kind context "
        "mended"
    )
    | {
        "image": _IMAGE,
        "more": pa.list_(pa.string()),
        "references": pa.list_(pa.string()),
        "scores": _named(pa.float64()),
        "attributes": _named(pa.string()),
    },
)
_WHOLE_PREDICTION = _ordered(
    Prediction,
    _schema(
        "id picture_id category kind variant description ranked generated generated_letter truth mode flags "
        "task target",
        integers="rotations_right offered",
        floats="p_a p_b p_c p_d mean_a mean_b mean_c mean_d",
    )
    | {
        **{name: pa.list_(pa.float64()) for name in ("p_more", "mean_more")},
        "references": pa.list_(pa.string()),
        "scores": _named(pa.float64()),
        "attributes": _named(pa.string()),
    },
)
PREDICTION_SCHEMA = pa.schema([one for one in _WHOLE_PREDICTION if one.name not in Prediction.LATER])
