"""Columns mean what their type says, in every format that has types."""

import datetime
import json
import uuid
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Image, LargeList, List, Value

from blip_core.errors import TableError
from blip_core.sources.column_types import ANY, UNTYPED, ColumnType
from blip_core.sources.tabular import Broken, column_types, raw_rows

PETS = ("cat", "dog", "frog")
FEATURES = Features(
    {
        "label": ClassLabel(names=list(PETS)),
        "photo": Image(),
        "photos": List(Image()),
        "labels": List(ClassLabel(names=list(PETS))),
        "more": {"word": Value("string"), "label": ClassLabel(names=list(PETS))},
        "many": LargeList(Value("large_string")),
    }
)
ONE = {"bytes": b"1", "path": None}
ROWS = {
    "label": [2, -1, None],
    "photo": [ONE, ONE, None],
    "photos": [[ONE], [ONE, ONE], []],
    "labels": [[0, 1], [], None],
    "more": [{"word": "x", "label": 0}, {"word": None, "label": -1}, None],
    "many": [["x", "y"], [], None],
}


def saved(folder: Path) -> Path:
    Dataset.from_dict(ROWS, FEATURES).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def parquet(folder: Path) -> Path:
    Dataset.from_dict(ROWS, FEATURES).to_parquet(str(folder / "t.parquet"))
    return folder / "t.parquet"


def shards(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    parquet(folder).rename(folder / "hub" / "data" / "test-00000-of-00001.parquet")
    return folder / "hub"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("write", [saved, parquet, shards])
def test_features_of_the_library_datasets_are_kept(write, tmp_path):
    path = write(tmp_path)
    types = column_types(path)

    assert types["label"] == ColumnType("class-label", names=PETS)
    assert types["photo"] == ColumnType("image")
    assert types["photos"].holds_pictures
    assert types["labels"].item == ColumnType("class-label", names=PETS)
    assert types["more"].fields == {
        "word": ColumnType("text"),
        "label": ColumnType("class-label", names=PETS),
    }
    assert types["many"].item == ColumnType("text")
    assert list(raw_rows(path, list(types))) == [
        {
            "label": "frog",
            "photo": ONE,
            "photos": ONE,
            "labels": ["cat", "dog"],
            "more": {"word": "x", "label": "cat"},
            "many": ["x", "y"],
        },
        {
            "label": None,
            "photo": ONE,
            "photos": [ONE, ONE],
            "labels": [],
            "more": {"word": None, "label": None},
            "many": [],
        },
        {"label": None, "photo": None, "photos": None, "labels": None, "more": None, "many": None},
    ]


def test_class_labels_of_older_versions_and_without_names_are_read(tmp_path):
    features = {
        "pets": {"feature": {"kind": {"names": list(PETS), "_type": "ClassLabel"}}, "_type": "Sequence"},
        "count": {"num_classes": 2, "_type": "ClassLabel"},
    }
    table = pa.table({"pets": [{"kind": [1, 2]}], "count": [1]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, tmp_path / "t.parquet")

    assert list(raw_rows(tmp_path / "t.parquet", ["pets", "count"])) == [
        {"pets": {"kind": ["dog", "frog"]}, "count": "1"}
    ]


@pytest.mark.parametrize("metadata", ["", "nonsense", "[]", '{"info": {"features": [1]}}', "[" * 100_000])
def test_metadata_that_is_none_leaves_the_types_of_the_file(metadata, tmp_path):
    table = pa.table({"label": [1]}).replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, tmp_path / "t.parquet")

    assert column_types(tmp_path / "t.parquet") == {"label": ColumnType("integer")}


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (pa.array(["x"]).dictionary_encode(), "text", "x"),
        (pa.array(["x"], pa.large_string()), "text", "x"),
        (pa.array(["x"], pa.string_view()), "text", "x"),
        (pa.array([b"x"], pa.large_binary()), "bytes", b"x"),
        (pa.array([b"x"], pa.binary_view()), "bytes", b"x"),
        (pa.array([b"xy"], pa.binary(2)), "bytes", b"xy"),
        (pa.array([7], pa.uint8()), "integer", 7),
        (pa.array([1.5], pa.float16()), "number", 1.5),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), "number", Decimal("1.50")),
        (pa.array([True]), "boolean", True),
        (pa.array([datetime.date(2024, 2, 29)]), "date", datetime.date(2024, 2, 29)),
        (pa.array([datetime.timedelta(hours=1)]), "time", datetime.timedelta(hours=1)),
        (pa.nulls(1), "nothing", None),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), "list", [1, 2]),
        (pa.array([{"x": 1}]), "struct", {"x": 1}),
        (pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64())), "struct", {"x": 1}),
        (pa.array([{"bytes": b"1", "path": "x"}]), "image", {"bytes": b"1", "path": "x"}),
        (pa.array([[{"bytes": b"1", "path": "x"}]]), "list", {"bytes": b"1", "path": "x"}),
        (pa.array([b"0" * 16], pa.uuid()), "text", str(uuid.UUID(bytes=b"0" * 16))),
        (pa.array(["[1]"], pa.json_()), "text", "[1]"),
    ],
    ids=str,
)
def test_every_type_comes_as_a_plain_value(values, kind, read, tmp_path):
    pq.write_table(pa.table({"x": values}), tmp_path / "t.parquet")

    assert column_types(tmp_path / "t.parquet")["x"].kind == kind
    assert list(raw_rows(tmp_path / "t.parquet", ["x"])) == [{"x": read}]


def test_a_type_that_python_has_no_value_for_is_named_with_its_column(tmp_path):
    when = pa.array([1], pa.timestamp("us", "Nowhere/Land"))
    pq.write_table(pa.table({"when": when}), tmp_path / "t.parquet")

    with pytest.raises(TableError, match=r"column 'when' is of type timestamp\[us, tz=Nowhere/Land\]"):
        list(raw_rows(tmp_path / "t.parquet", ["when"]))


def test_a_value_beyond_what_python_counts_costs_its_row_alone(tmp_path):
    when = pa.array([2**62, 0], pa.timestamp("us"))
    pq.write_table(pa.table({"when": when}), tmp_path / "t.parquet")

    first, second = raw_rows(tmp_path / "t.parquet", ["when"])
    assert isinstance(first, Broken)
    assert second == {"when": datetime.datetime(1970, 1, 1)}  # noqa: DTZ001  (Arrow's has no zone)


def test_texts_and_json_bring_no_types_of_their_own(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": [2]}\n')

    assert column_types(tmp_path / "t.csv") == {"a": UNTYPED, "b": UNTYPED}
    assert column_types(tmp_path / "t.jsonl") == {"a": ANY, "b": ANY}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "data/test-00000-of-00001.parquet"]
)
def test_a_table_that_git_lfs_did_not_fetch_is_told_as_such(name, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / name).write_bytes(POINTER)
    path = tmp_path if "/" in name else tmp_path / name

    with pytest.raises(TableError, match=r"is a git-lfs pointer, not the file itself: run `git lfs pull`"):
        column_types(path)
