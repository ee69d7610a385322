from pathlib import Path

import pyarrow.parquet as pq
import pytest

from blip_core.errors import TableError
from blip_core.records import SCENE_SCHEMA, Rejection, Scene
from blip_core.store import iter_rows, read_rows, write_rows

SCENES = [Scene(f"nature-{i:05d}", "nature", f"A frog, number {i}.", i // 5, 1 + i % 5) for i in range(250)]


def test_rows_come_back_as_they_were(tmp_path: Path):
    assert write_rows(tmp_path / "s.parquet", SCENES, SCENE_SCHEMA) == 250
    assert read_rows(tmp_path / "s.parquet", Scene) == SCENES


def test_no_rows_make_a_file_without_rows(tmp_path: Path):
    write_rows(tmp_path / "s.parquet", [], SCENE_SCHEMA)

    assert read_rows(tmp_path / "s.parquet", Scene) == []


def test_a_row_group_holds_a_hundred_rows(tmp_path: Path):
    write_rows(tmp_path / "s.parquet", SCENES, SCENE_SCHEMA)

    metadata = pq.read_metadata(tmp_path / "s.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [100, 100, 50]


def test_equal_rows_give_equal_bytes(tmp_path: Path):
    write_rows(tmp_path / "a.parquet", SCENES, SCENE_SCHEMA)
    write_rows(tmp_path / "b.parquet", iter(SCENES), SCENE_SCHEMA)

    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_rows_are_read_one_group_at_a_time(tmp_path: Path):
    write_rows(tmp_path / "s.parquet", SCENES, SCENE_SCHEMA)

    assert next(iter_rows(tmp_path / "s.parquet", Scene)) == SCENES[0]


def test_a_flipped_byte_of_a_page_is_noticed(tmp_path: Path):
    path = tmp_path / "s.parquet"
    write_rows(path, SCENES, SCENE_SCHEMA)
    column = pq.read_metadata(path).row_group(0).column(2)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(TableError, match=r"s\.parquet"):
        read_rows(path, Scene)


def test_a_file_that_was_cut_short_is_named(tmp_path: Path):
    path = tmp_path / "s.parquet"
    write_rows(path, SCENES, SCENE_SCHEMA)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(TableError, match=r"s\.parquet"):
        read_rows(path, Scene)


def test_rows_of_another_kind_are_refused(tmp_path: Path):
    write_rows(tmp_path / "s.parquet", SCENES, SCENE_SCHEMA)

    with pytest.raises(TableError, match="Rejection needs"):
        read_rows(tmp_path / "s.parquet", Rejection)
