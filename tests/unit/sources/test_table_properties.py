"""Whatever bytes call themselves a table: a `TableError` or rows, and no file outside its folder."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blip_core.errors import TableError
from blip_core.records import OPTION_LETTERS, Rejection
from blip_core.sources import (
    answer_reading,
    find_columns,
    iter_table,
    read_table,
    read_table_pictures,
    table_digest,
)
from tests.examples import examples
from tests.unit.examples import png, world_pixels

PICTURE = png(world_pixels(0))
LETTERS = "abcdefghijk"
THINGS = ["a frog", "a bus", "a kite", "a cake", "a hat", "a hen", "a jar", "a key", "a map", "a net", ""]
HEADER = ["id", "image", "question", *LETTERS, "answer"]
ROW = ["q1", "one.png", "What?", *THINGS, "B"]

quick = settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
names = st.sampled_from(
    [
        *("one.png", "../secret/one.png", "../secret", "link.png", "link/one.png", "./../secret/one.png"),
        *(
            "/etc/hostname",
            "sub/../../secret/one.png",
            "a\0b",
            "",
            ".",
            "..",
            "~/one.png",
            "file:///etc/hostname",
        ),
    ]
)
cells = st.one_of(names, st.text(max_size=20), st.sampled_from(ROW))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), cells),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
images = st.one_of(names, st.fixed_dictionaries({"path": names, "bytes": st.none() | st.just("x")}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "one.png").write_bytes(PICTURE)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one.png").write_bytes(PICTURE)
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "secret" / "one.png")
    (tmp_path / "set" / "link").symlink_to(tmp_path / "secret")
    return tmp_path / "set"


class Watch:
    """Notes what is opened; an audit hook stays for good, hence it is deaf most of the time."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.is_on = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple) -> None:
        if self.is_on and event == "open" and isinstance(arguments[0], str | bytes):
            self.opened.append(os.fsdecode(arguments[0]))


WATCH = Watch()


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Nothing is opened but what lies in the folder, and what Python itself imports."""
    WATCH.opened.clear()
    WATCH.is_on = True
    try:
        yield
    finally:
        WATCH.is_on = False
    real = [os.path.realpath(name) for name in WATCH.opened if "\0" not in name]
    strangers = [name for name in real if name.startswith((str(folder.parent), "/etc"))]
    assert [name for name in strangers if not name.startswith(str(folder))] == []


def complaint(read: Callable[[Path], object], path: Path) -> str:
    """What is said of a table that cannot be used; its name, of one that can."""
    try:
        read(path)
    except TableError as error:
        return str(error)
    return str(path)


def read_in_every_way(path: Path) -> None:
    """Every way to read a table gives rows, or a `TableError` that names it."""
    with watched(path.parent):
        for read in (read_table, read_table_pictures, table_digest):
            assert str(path) in complaint(read, path)


def test_the_watch_sees_what_is_opened(folder: Path):
    with pytest.raises(AssertionError, match="secret"), watched(folder):
        (folder / "link.png").read_bytes()


@quick
@given(content=st.binary(max_size=300), ending=st.sampled_from([".csv", ".jsonl", ".parquet"]))
def test_any_bytes(content: bytes, ending: str, folder: Path):
    path = folder / f"t{ending}"
    path.write_bytes(content)
    read_in_every_way(path)


@quick
@given(rows=st.lists(st.lists(cells, min_size=13, max_size=16), max_size=5), tail=st.binary(max_size=30))
def test_any_cells_of_a_csv(rows: list[list[str]], tail: bytes, folder: Path):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([HEADER, ROW, *rows])
    (folder / "t.csv").write_bytes(text.getvalue().encode(errors="replace") + tail)
    read_in_every_way(folder / "t.csv")


@quick
@given(rows=st.lists(st.dictionaries(st.sampled_from(HEADER), values | images, max_size=15), max_size=5))
def test_any_values_of_a_jsonl(rows: list[dict], folder: Path):
    lines = [dict(zip(HEADER, ROW, strict=True)), *rows]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    read_in_every_way(folder / "t.jsonl")


@quick
@given(
    image=st.sampled_from(
        [
            pa.array(
                [{"bytes": None, "path": "../secret/one.png"}, {"bytes": PICTURE, "path": "/etc/hostname"}]
            ),
            pa.array(["link.png", "one.png"]),
            pa.array([PICTURE, b"\x89PNG"]),
            pa.array([[1, 2], None]),
            pa.array([1, 2]),
            pa.array([{"path": "one.png"}, None]),
        ]
    ),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=3),
    keep=st.integers(0, 10_000) | st.none(),
)
def test_any_parquet_whole_or_damaged(image: pa.Array, flips: list, keep: int | None, folder: Path):
    columns = {name: [value, value] for name, value in zip(HEADER, ROW, strict=True)}
    table = pa.table({**columns, "id": ["q1", "q2"], "image": image})
    pq.write_table(table, folder / "t.parquet", write_page_checksum=True)
    content = bytearray((folder / "t.parquet").read_bytes())
    for place, bits in flips:
        content[place % len(content)] ^= bits
    (folder / "t.parquet").write_bytes(content[:keep])
    read_in_every_way(folder / "t.parquet")


@quick
@given(
    rows=st.lists(st.fixed_dictionaries({"image": names | st.just("one.png"), "question": cells}), min_size=1)
)
def test_every_row_is_an_example_or_a_rejection_in_order(rows: list[dict], folder: Path):
    lines = [dict(zip(HEADER, ROW, strict=True)) | {"id": str(n)} | row for n, row in enumerate(rows)]
    padding = [dict(zip(HEADER, ROW, strict=True)) | {"id": f"good{n}"} for n in range(len(rows))]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, [*padding, *lines])))

    examples, rejections = read_table(folder / "t.jsonl", None, find_columns(folder / "t.jsonl"))

    given_ids = [row["id"] for row in [*padding, *lines]]
    assert sorted([row.id for row in [*examples, *rejections]]) == sorted(given_ids)
    assert [row.id for row in examples] == [name for name in given_ids if name in {e.id for e in examples}]


option = st.sampled_from(["", *THINGS, "E", "7"])
runs = st.lists(option.filter(bool), min_size=1, max_size=11, unique=True).map(
    lambda run: run + [""] * (len(LETTERS) - len(run))
)
gaps = st.lists(option, min_size=len(LETTERS), max_size=len(LETTERS))


@quick
@given(
    rows=st.lists(runs | gaps, min_size=1, max_size=5),
    answers=st.sampled_from([[*LETTERS.upper()], [str(number) for number in range(12)], THINGS]),
    data=st.data(),
)
def test_what_is_read_is_what_stands_there(
    rows: list[list[str]], answers: list[str], data: st.DataObject, folder: Path
):
    """Options as written, without a gap and two to ten; an answer is one of them, and nothing is invented."""
    lines = [
        dict(
            zip(HEADER, [f"q{n}", "one.png", "What?", *row, data.draw(st.sampled_from(answers))], strict=True)
        )
        for n, row in enumerate(rows)
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))

    path = folder / "t.jsonl"
    told = complaint(lambda path: answer_reading(path, find_columns(path)), path)
    if told != str(path):
        assert "--answers" in told or "--column answer=" in told
        return
    read = list(iter_table(path, None, find_columns(path)))
    assert len(read) == len(rows)
    for row in read:
        if isinstance(row, Rejection):
            continue
        written = rows[int(row.id.removeprefix("q"))]
        assert 2 <= row.offered <= 10
        assert [*row.options[: row.offered]] == written[: row.offered]
        assert not any(written[row.offered :])
        assert row.options[OPTION_LETTERS.index(row.answer)] == row.target != ""


@quick
@given(count=st.integers(2, 10), right=st.integers(0, 9), form=st.sampled_from(["letter", "text", "0", "1"]))
def test_a_question_of_two_to_ten_options_is_read_whatever_form_its_answer_has(
    count: int, right: int, form: str, folder: Path
):
    """Beside it stand two rows of ten options, whose answers tell where numbers start."""
    forms = {
        "letter": [*OPTION_LETTERS],
        "text": THINGS,
        "0": [*map(str, range(10))],
        "1": [*map(str, range(1, 11))],
    }
    right = min(right, count - 1)
    lines = [
        dict(zip(HEADER, [f"q{n}", "one.png", "What?", *THINGS, forms[form][n]], strict=True)) for n in (0, 9)
    ]
    options = [*THINGS[:count], *[""] * (len(LETTERS) - count)]
    lines.append(dict(zip(HEADER, ["q", "one.png", "What?", *options, forms[form][right]], strict=True)))
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))

    examples, rejections = read_table(folder / "t.jsonl")

    assert rejections == []
    assert [row.answer for row in examples] == ["A", "J", OPTION_LETTERS[right]]
    assert examples[2].offered == count
