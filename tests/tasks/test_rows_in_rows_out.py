"""Every row of a table is answered or refused, whatever is wrong with it."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blip_core.errors import StageFailure, TableError
from blip_core.records import Example
from blip_core.reporting.submission import submission_rows
from blip_core.store import iter_rows
from tasks.answer_table import QuestionTable, keep_usable
from tests.examples import examples
from tests.unit.examples import png, world_pixels

HEADER = ("id", "image", "question", "a", "b", "answer")
GOOD = 40  # rows beside the bad ones, so that the table as a whole is not refused

quick = settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
QUOTES = ("", " ", '"', '""', '"open', 'closed"', 'in "the" middle', '"whole"')
MARKS = ("a,b", "a;b", "a|b", "\u2028", "\x85", "\x0b", "\x00", "\x1b", "é", "ｑ１", "<image>")
NAMES = ("q1", "q1", "p.png", "no.png", "../p.png", "-1", "A", "row-000003")
odd = st.sampled_from([*QUOTES, *MARKS, *NAMES])
plain = odd.filter(lambda text: not set(text) & set("\t\n\r"))
line = st.lists(plain, min_size=1, max_size=len(HEADER))
lines = st.lists(line.filter(lambda cells: is_blank(cells) == is_blank(unquoted(cells))), max_size=8)


def unquoted(cells: list[str]) -> list[str]:
    """Cells of nothing but quotes are empty where quotes count, and texts where they do not."""
    return [cell.replace('"', "") for cell in cells]


def is_blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def good(number: int) -> list[str]:
    return [f"good{number}", "p.png", f"What is {number}?", "a dog", "a boat", "AB"[number % 2]]


def mixed(bad: list[list[str]]) -> list[list[str]]:
    """Bad rows among good ones."""
    rows = [good(number) for number in range(GOOD)]
    for place, row in enumerate(bad):
        rows.insert(3 * place, row)
    return rows


def check(path: Path, count: int) -> None:
    """As many rows come out as `count` says, each once, in the files that are handed out."""
    table = QuestionTable.open(path, None, {"image": "image", "question": "question", "a": "a", "b": "b"})
    kept, rejections = keep_usable(table, path.with_name("usable.parquet"), {})
    assert table.rows == kept + len(rejections) == count
    table.check_complete(kept, len(rejections))

    asked = list(iter_rows(path.with_name("usable.parquet"), Example))
    answered = [SimpleNamespace(id=row.id, ranked="A", offered=4) for row in asked]
    submitted = [name for name, _ in submission_rows(answered, rejections)]
    assert submitted == list(dict.fromkeys(submitted))
    assert set(submitted) == {row.id for row in asked} | {row.id for row in rejections}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "p.png").write_bytes(png(world_pixels(0)))
    return tmp_path


@quick
@given(bad=lines, end=st.sampled_from(["\n", "\r\n"]))
def test_lines_of_an_unquoted_tsv(bad: list[list[str]], end: str, pictures: Path):
    rows = [
        *mixed(bad),
        ["last", "p.png", '"STOP" stands where?', "a dog", "a boat", "A"],
    ]  # no quoted reading
    written = end.join("\t".join(row) for row in [list(HEADER), *rows]) + end
    (pictures / "t.tsv").write_bytes(written.encode())
    check(pictures / "t.tsv", sum(not is_blank(row) for row in rows))


@quick
@given(bad=lines, delimiter=st.sampled_from(",;"), end=st.sampled_from(["\n", "\r\n"]))
def test_records_of_a_csv(bad: list[list[str]], delimiter: str, end: str, pictures: Path):
    rows = mixed([[*row, "with\nlines"][: len(HEADER)] for row in bad])
    rows.append(["last", "p.png", f'so "{delimiter}" quotes count', "a", "b", "A"])
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([HEADER, *rows])
    (pictures / "t.csv").write_bytes(text.getvalue().encode())
    check(pictures / "t.csv", sum(not is_blank(row) for row in rows))


values = st.one_of(odd, st.none(), st.integers(-2, 5), st.booleans(), st.lists(odd, max_size=3))
objects = st.dictionaries(st.sampled_from(HEADER), values, max_size=len(HEADER))


@quick
@given(bad=st.lists(objects | st.sampled_from([1, "x", [], None]), max_size=8), is_list=st.booleans())
def test_objects_of_json(bad: list, is_list: bool, pictures: Path):
    rows = [dict(zip(HEADER, good(number), strict=True)) for number in range(GOOD)]
    for place, row in enumerate(bad):
        rows.insert(3 * place + 1, row)
    text = json.dumps(rows) if is_list else "\n".join(map(json.dumps, rows))
    (pictures / "t.json").write_text(text)
    check(pictures / "t.json", len(rows))


def test_answers_to_fewer_rows_than_the_table_holds_are_not_written(pictures: Path):
    path = pictures / "t.csv"
    path.write_text("\n".join(map(",".join, [HEADER, *map(good, range(3))])))
    table = QuestionTable.open(path, None, {})

    table.check_complete(answered=2, refused=1)
    with pytest.raises(StageFailure, match="holds 3 rows, but 1 were answered and 1 refused"):
        table.check_complete(answered=1, refused=1)
    with pytest.raises(TableError, match="changed while it was read"):
        keep_usable(replace(table, digest="another"), pictures / "usable.parquet", {})
