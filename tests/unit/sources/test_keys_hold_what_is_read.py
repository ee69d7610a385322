"""Everything that is read is in the key: whichever byte of a source changes, its digest does."""

import base64
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Features, Image, List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from blip_core.errors import TableError
from blip_core.sources import folder_digest, iter_table, read_folder, read_table, table_digest
from blip_core.sources.counted import count_rows
from blip_core.sources.opening import TableInput
from blip_core.sources.table_view import find_columns
from blip_core.sources.unchanged import file_digest
from tests.examples import examples
from tests.unit.examples import png, world_pixels

PICTURES = [png(world_pixels(number)) for number in range(3)]
COLUMNS = ("id", "image", "question", "a", "b", "answer")


def rows(image: Callable[[int], object]) -> list[dict]:
    return [
        dict(zip(COLUMNS, (f"q{n}", image(n), f"What is {n}?", "a dog", "a boat", "AB"[n % 2]), strict=True))
        for n in range(3)
    ]


def named(folder: Path, name: Callable[[int], str]) -> None:
    for number, picture in enumerate(PICTURES):
        (folder / name(number)).parent.mkdir(parents=True, exist_ok=True)
        (folder / name(number)).write_bytes(picture)


def write_delimited(path: Path, table: list[dict], delimiter: str) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    return path


def write_lines(path: Path, table: list[dict]) -> Path:
    path.write_text("\n".join(map(json.dumps, table)))
    return path


def csv_by_name(folder: Path) -> Path:
    named(folder, "p{}.png".format)
    return write_delimited(folder / "t.csv", rows("p{}.png".format), ",")


def tsv_in_base64(folder: Path) -> Path:
    cells = [base64.b64encode(PICTURES[0]).decode(), "q0", base64.b64encode(PICTURES[2]).decode()]
    return write_delimited(folder / "t.tsv", rows(cells.__getitem__), "\t")


def jsonl_by_number(folder: Path) -> Path:
    named(folder, lambda number: str(1000 + number))
    return write_lines(folder / "t.jsonl", rows(lambda number: 1000 + number))


def jsonl_by_name_in_a_list(folder: Path) -> Path:
    named(folder, "p{}.png".format)
    return write_lines(folder / "t.jsonl", rows(lambda number: [f"p{number}.png"]))


def jsonl_by_text_of_a_list(folder: Path) -> Path:
    named(folder, "p{}.png".format)
    return write_lines(folder / "t.jsonl", rows(lambda number: f"['p{number}.png']"))


def json_by_windows_path(folder: Path) -> Path:
    named(folder, "sub/p{}.png".format)
    (folder / "t.json").write_text(json.dumps({"data": rows("sub\\p{}.png".format)}))
    return folder / "t.json"


def xlsx_by_name(folder: Path) -> Path:
    named(folder, "p{}.png".format)
    book = Workbook()
    for row in [COLUMNS, *(row.values() for row in rows("p{}.png".format))]:
        book.active.append([*row])
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def xlsx_by_number(folder: Path) -> Path:
    named(folder, lambda number: str(number + 7))
    book = Workbook()
    for row in [COLUMNS, *(row.values() for row in rows(lambda number: number + 7))]:
        book.active.append([*row])
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def parquet_of_bytes(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows(PICTURES.__getitem__)), folder / "t.parquet")
    return folder / "t.parquet"


def parquet_by_number(folder: Path) -> Path:
    named(folder, lambda number: str(number + 7))
    pq.write_table(pa.Table.from_pylist(rows(lambda number: number + 7)), folder / "t.parquet")
    return folder / "t.parquet"


def arrow_of_mappings(folder: Path) -> Path:
    table = pa.Table.from_pylist(rows(lambda number: {"bytes": PICTURES[number], "path": None}))
    with pa.OSFile(str(folder / "t.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return folder / "t.arrow"


def features(image: object) -> Features:
    return Features({name: Value("string") for name in COLUMNS} | {"image": image})


def held(number: int) -> dict:
    return {"bytes": PICTURES[number], "path": None}


def saved_to_disk(folder: Path) -> Path:
    data = Dataset.from_list(rows(held), features(Image()))
    DatasetDict({"train": data.select([0]), "test": data}).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def saved_shards(folder: Path) -> Path:
    data = Dataset.from_list(rows(lambda number: [held(number)]), features(List(Image())))
    data.save_to_disk(str(folder / "saved"), num_shards=2)
    return folder / "saved"


def shards(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    data = Dataset.from_list(rows(held), features(Image()))
    for number in range(2):
        part = folder / "hub" / "data" / f"test-{number:05d}-of-00002.parquet"
        data.shard(2, number).to_parquet(str(part))
    return folder / "hub"


def split_by_name(folder: Path) -> Path:
    for path in (shards(folder) / "data").iterdir():
        path.rename(path.with_name(path.name.replace("test", "validation")))
    return folder / "hub" / "validation"


TABLES = (
    *(csv_by_name, tsv_in_base64, jsonl_by_number, jsonl_by_name_in_a_list, jsonl_by_text_of_a_list),
    *(json_by_windows_path, xlsx_by_name, xlsx_by_number, parquet_of_bytes, parquet_by_number),
    *(arrow_of_mappings, saved_to_disk, saved_shards, shards, split_by_name),
)


class _Ear:
    """Hears what is opened; an audit hook stays for good, hence it is deaf most of the time."""

    def __init__(self) -> None:
        self.opened: set[Path] = set()
        self.is_on = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple) -> None:
        if self.is_on and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            self.opened.add(Path(os.path.realpath(os.fsdecode(arguments[0]))))


EAR = _Ear()


@contextmanager
def listening() -> Iterator[set[Path]]:
    EAR.opened = set()
    EAR.is_on = True
    try:
        yield EAR.opened
    finally:
        EAR.is_on = False


def digest_or_fault(path: Path) -> str:
    try:
        return table_digest(path)
    except TableError as error:  # a byte that makes it unreadable is no stale answer either
        return str(error)


def flipped(file: Path, place: int, bits: int) -> Callable[[], None]:
    """Change one byte, but neither size nor time of a file; gives what undoes it."""
    content, before = file.read_bytes(), file.stat()

    def write(new: bytes) -> None:
        file.write_bytes(new)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    changed = bytearray(content)
    changed[place % len(content)] ^= bits
    write(bytes(changed))
    return lambda: write(content)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", TABLES)
def test_every_byte_of_every_file_that_is_opened_is_in_the_digest_of_a_table(make, tmp_path):
    path = make(tmp_path)
    assert len(read_table(path)[0]) == len(PICTURES)
    with listening() as opened:
        list(iter_table(path))
    root = Path(os.path.realpath(tmp_path))
    files = sorted(file for file in opened if file.is_relative_to(root) and file.is_file())
    files = sorted({*files, *(root / path.name).parent.rglob("*.arrow")} - {*root.glob("saved/train/*")})
    before = table_digest(path)

    @settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(which=st.sampled_from(files), place=st.integers(0, 2**32), bits=st.integers(1, 255))
    def changes(which: Path, place: int, bits: int) -> None:
        undo = flipped(which, place, bits)
        try:
            assert digest_or_fault(path) != before
        finally:
            undo()
        assert table_digest(path) == before

    changes()


def test_every_byte_of_every_picture_is_in_the_digest_of_a_folder(tmp_path):
    named(tmp_path / "album", lambda number: f"{'sub/' if number else ''}p{number}.png")
    before = folder_digest(tmp_path / "album")
    with listening() as opened:
        assert len(read_folder(tmp_path / "album")[0]) == len(PICTURES)
    files = sorted(file for file in opened if file.suffix == ".png" and file.is_file())
    assert len(files) == len(PICTURES)

    @settings(max_examples=examples(60), deadline=None)
    @given(which=st.sampled_from(files), place=st.integers(0, 2**32), bits=st.integers(1, 255))
    def changes(which: Path, place: int, bits: int) -> None:
        undo = flipped(which, place, bits)
        try:
            assert folder_digest(tmp_path / "album") != before
        finally:
            undo()

    changes()


def test_what_is_said_of_a_table_is_in_its_digest(tmp_path):
    path = csv_by_name(tmp_path)
    columns = find_columns(path)
    digests = [
        table_digest(path, None, columns),
        table_digest(path, None, columns, "letters"),
        table_digest(path, None, columns, encoding="cp949"),
        table_digest(path, None, find_columns(path, {"answer": ""})),
    ]
    assert len(set(digests)) == len(digests)


def test_files_of_a_folder_that_are_not_read_are_not_in_its_digest(tmp_path):
    path = shards(tmp_path)
    before = table_digest(path)
    (path / "README.md").write_text("about it")
    (path / "data" / "train-00000-of-00001.parquet").write_bytes(b"not looked at")
    assert table_digest(path) == before


def test_a_picture_that_appears_later_is_in_the_digest(tmp_path):
    path = csv_by_name(tmp_path)
    (tmp_path / "p1.png").unlink()
    before = table_digest(path)
    (tmp_path / "p1.png").write_bytes(PICTURES[1])
    assert table_digest(path) != before


def test_a_table_that_changes_while_it_is_read_is_an_error(tmp_path):
    path = csv_by_name(tmp_path)
    reading = iter_table(path)
    next(reading)
    (tmp_path / "p0.png").write_bytes(PICTURES[2])
    with pytest.raises(TableError, match=r"t\.csv changed while it was read; run again"):
        list(reading)


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"one")
    os.utime(file, ns=(0, 0))
    before = file_digest(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(0, 0))
    assert file_digest(file) != before


def test_rows_are_counted_whether_or_not_they_can_be_used(tmp_path):
    path = csv_by_name(tmp_path)
    path.write_text(path.read_text() + 'q9\nq0,p0.png,again?,a,b,A\n\n,,,\n"broken\n')
    assert count_rows(TableInput(path), "image") == len(PICTURES) + 3
    assert len(list(iter_table(path))) == len(PICTURES) + 3
