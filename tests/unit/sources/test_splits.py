"""Folders of datasets as `datasets` and the hub lay them out: all files of a split in order, or an error."""

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value

from blip_core.errors import TableError
from blip_core.sources.tabular import column_types, raw_rows, table_facts


def write(folder: Path, files: Mapping[str, list[str]]) -> Path:
    """Each file holds rows of these words."""
    for name, words in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table({"word": words})
        if path.suffix == ".parquet":
            pq.write_table(table, path)
        else:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
    return folder


def words(path: Path) -> list[str]:
    return [row["word"] for row in raw_rows(path, ["word"])]


LAYOUTS = {
    "of two": ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002.parquet"],
    "with digests": [
        "data/test-00000-of-00002-9f8e7d6c5b4a3928.parquet",
        "data/test-00001-of-00002-0a1b2c3d4e5f6071.parquet",
    ],
    "not in data": ["test-00000-of-00002.parquet", "test-00001-of-00002.parquet"],
    "converted": ["default/test/0000.parquet", "default/test/0001.parquet"],
    "converted in part": ["default/partial-test/0000.parquet", "default/partial-test/0001.parquet"],
    "one configuration": ["hard/test-00000-of-00002.parquet", "hard/test-00001-of-00002.parquet"],
    "folders named as splits": ["data/test/a.parquet", "data/test/b.parquet"],
    "numbered by hand": ["test-9.parquet", "test-10.parquet"],
    "numbered otherwise": ["test_0.parquet", "test_1.parquet"],
    "cached": ["my_set-test-00000-of-00002.arrow", "my_set-test-00001-of-00002.arrow"],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_files_of_the_judged_split_are_read_in_their_order(layout, tmp_path):
    first, second = LAYOUTS[layout]
    train = first.replace("test", "train").replace("00002", "00001").replace("-9.", ".").replace("_0.", ".")
    write(tmp_path, {second: ["c"], first: ["a", "b"], train: ["x"]})

    assert words(tmp_path) == ["a", "b", "c"]
    assert table_facts(tmp_path).describe() == "dataset folder; split test, 2 files"


def test_a_folder_of_numbered_files_is_one_split(tmp_path):
    names = [f"test/{number:04d}.parquet" for number in range(12)]
    write(tmp_path, {name: [name] for name in reversed(names)})

    assert words(tmp_path / "test") == names
    assert words(tmp_path) == names


@pytest.mark.parametrize("layout", ["of two", "with digests", "not in data", "numbered otherwise", "cached"])
def test_another_split_is_named_behind_the_folder(layout, tmp_path):
    files = {name.replace("test", "validation"): [name] for name in LAYOUTS[layout]}
    train = next(iter(files)).replace("validation", "train").replace("00002", "00001").replace("_0.", ".")
    write(tmp_path / "set", files | {train: ["x"]})

    with pytest.raises(
        TableError, match=r"splits train, validation, and none is called test; .*set/validation"
    ):
        words(tmp_path / "set")
    assert words(tmp_path / "set" / "validation") == LAYOUTS[layout]
    assert words(tmp_path / "set" / "data" / "validation") == LAYOUTS[layout]
    with pytest.raises(TableError, match="is no table that can be read"):
        words(tmp_path / "set" / "other")


def test_a_split_that_save_to_disk_wrote_is_named_by_its_folder(tmp_path):
    splits = {name: Dataset.from_dict({"word": [name]}) for name in ("train", "validation")}
    DatasetDict(splits).save_to_disk(str(tmp_path / "set"))

    assert words(tmp_path / "set" / "validation") == ["validation"]
    with pytest.raises(TableError, match="splits train, validation"):
        words(tmp_path / "set")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            ["test-00000-of-00003.parquet", "test-00002-of-00003.parquet"],
            r"3 files, and 1 .* \(number 00001\)",
        ),
        (["test-00001-of-00002-0a1b2c3d.parquet"], r"2 files, and 1 of them are not there \(number 00000\)"),
        (["default/test/0000.parquet", "default/test/0002.parquet"], r"number 00001"),
        (["test-00000-of-00001.parquet", "test-00000-of-00002.parquet"], "do not belong together"),
        (["test-00000-of-00001-0a1b2c3d.parquet", "test-00000-of-00001-9f8e7d6c.parquet"], "do not belong"),
        (["easy-test-00000-of-00001.parquet", "hard-test-00000-of-00001.parquet"], "do not belong together"),
        (
            ["easy/test-00000-of-00001.parquet", "hard/test-00000-of-00001.parquet"],
            "configurations easy, hard",
        ),
        (["notes.txt"], "is a folder, but no dataset"),
    ],
)
def test_rows_that_are_missing_or_there_twice_are_told(names, told, tmp_path):
    write(tmp_path, {name: ["x"] for name in names})
    with pytest.raises(TableError, match=told):
        words(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            pa.table({"x": ["1"]}),
            pa.table({"x": [1]}),
            "column 'x' is integer in .*1-of.*, but text in .*0-of",
        ),
        (pa.table({"x": ["1"]}), pa.table({"x": ["1"], "y": [1]}), "column 'y' is in but one of"),
        (pa.table({"x": [["1"]]}), pa.table({"x": [[1]]}), "column 'x' is list of integer in"),
    ],
)
def test_parts_that_differ_are_told_by_name(first, second, told, tmp_path):
    for number, table in enumerate((first, second)):
        pq.write_table(table, tmp_path / f"test-{number:05d}-of-00002.parquet")
    with pytest.raises(TableError, match=told):
        list(raw_rows(tmp_path, ["x"]))


def test_parts_in_which_a_column_is_empty_fit_all_others(tmp_path):
    for number, values in enumerate(([None], ["1"], [None])):
        pq.write_table(pa.table({"x": values}), tmp_path / f"test-{number:05d}-of-00003.parquet")
    assert [row["x"] for row in raw_rows(tmp_path, ["x"])] == [None, "1", None]
    assert column_types(tmp_path)["x"].kind == "text"


def test_class_labels_with_other_names_in_another_part_are_told(tmp_path):
    for number, names in enumerate((["cat", "dog"], ["dog", "cat"])):
        features = Features({"label": ClassLabel(names=names)})
        part = Dataset.from_dict({"label": [0]}, features)
        part.to_parquet(str(tmp_path / f"test-{number:05d}-of-00002.parquet"))
    with pytest.raises(TableError, match=r"class-label \(dog, cat\) in .*, but class-label \(cat, dog\) in"):
        list(raw_rows(tmp_path, ["label"]))


@pytest.mark.parametrize(
    "state", ["[]", "{", '{"_data_files": []}', '{"_data_files": [{"filename": "../x.arrow"}]}']
)
def test_a_state_that_names_no_files_beside_it_is_refused(state, tmp_path):
    Dataset.from_dict({"word": ["x"]}).save_to_disk(str(tmp_path / "set"))
    (tmp_path / "set" / "state.json").write_text(state)
    with pytest.raises(
        TableError, match=r"state\.json (is no JSON object|names no files that lie beside it)"
    ):
        words(tmp_path / "set")


@pytest.mark.parametrize("ending", [".arrow", ".feather"])
@pytest.mark.parametrize("make", [pa.ipc.new_stream, pa.ipc.new_file])
def test_an_arrow_file_alone_is_a_table(make, ending, tmp_path):
    features = Features(
        {"word": Value("string"), "label": ClassLabel(names=["cat", "dog"]), "image": Image()}
    )
    rows = {"word": ["a", "b"], "label": [1, 0], "image": [{"bytes": b"1", "path": None}, None]}
    table = Dataset.from_dict(rows, features).data.table
    path = tmp_path / f"t{ending}"
    with pa.OSFile(str(path), "wb") as file, make(file, features.arrow_schema) as writer:
        writer.write_table(table.cast(features.arrow_schema))

    assert [row["label"] for row in raw_rows(path, ["label", "image"])] == ["dog", "cat"]
    assert column_types(path)["image"].kind == "image"


def test_features_beside_the_files_of_save_to_disk_are_those_that_hold(tmp_path):
    features = Features({"label": ClassLabel(names=["cat", "dog"])})
    Dataset.from_dict({"label": [1, 0]}, features).save_to_disk(str(tmp_path / "set"))
    info = json.loads((tmp_path / "set" / "dataset_info.json").read_text())
    info["features"]["label"]["names"] = ["dog", "cat"]
    (tmp_path / "set" / "dataset_info.json").write_text(json.dumps(info))

    assert [row["label"] for row in raw_rows(tmp_path / "set", ["label"])] == ["cat", "dog"]
