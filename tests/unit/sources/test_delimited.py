"""Text tables as spreadsheets, pandas and evaluation kits write them: every row comes, as it was meant."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blip_core.errors import TableError
from blip_core.sources.tabular import Broken, column_names, raw_rows, table_facts
from tests.examples import examples

HEADER = ["id", "image", "question", "a", "b", "answer"]
ROWS = [[f"q{n}", f"p{n}.png", f"What is {n}?", "a dog", "a boat", "AB"[n % 2]] for n in range(4)]


def read(path: Path, content: bytes) -> list[list[str] | str]:
    """The cells of each row in the header's order, or why it is broken."""
    path.write_bytes(content)
    names = column_names(path)
    return [
        row.reason if isinstance(row, Broken) else [row[name] for name in names]
        for row in raw_rows(path, names)
    ]


def raw(rows: list[list[str]], delimiter: str = "\t", end: str = "\n") -> bytes:
    """Without any quoting."""
    return end.join(map(delimiter.join, [HEADER, *rows, []])).encode()


def quoted(rows: list[list[str]], delimiter: str = ",", **more) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, **more).writerows([HEADER, *rows])
    return text.getvalue().encode()


def changed(place: int, column: str, text: str, rows: list[list[str]] = ROWS) -> list[list[str]]:
    copy = [list(row) for row in rows]
    copy[place][HEADER.index(column)] = text
    return copy


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".tab", ".txt"])
def test_what_parts_cells_is_guessed_from_all_of_the_first_lines(mark, ending, tmp_path):
    assert read(tmp_path / f"t{ending}", quoted(ROWS, mark)) == ROWS


def test_commas_in_a_header_do_not_deceive(tmp_path):
    content = b"id;image;question (short, plain, one)\nq0;p.png;What, then?\nq1;p.png;Who?\n"
    assert read(tmp_path / "t.csv", content)[0] == ["q0", "p.png", "What, then?"]


@pytest.mark.parametrize("mark", [";", ",", "|", "\t", "^", "~"])
@pytest.mark.parametrize("first", ["sep={}\r\n", '"sep={}"\r\n', "\ufeffsep={}\r\n", "SEP={}\n"])
def test_the_first_line_of_excel_names_the_delimiter(mark, first, tmp_path):
    content = first.format(mark).encode() + quoted(ROWS, mark)
    assert read(tmp_path / "t.csv", content) == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x0bb", "a\x0cb", "a\x1cb", "a\u2029b"])
def test_a_row_ends_at_the_line_ends_of_systems_and_at_no_others(end, text, tmp_path):
    rows = changed(1, "question", text)
    assert read(tmp_path / "t.csv", raw(rows, ",", end)) == rows


def test_a_carriage_return_in_a_cell_does_not_split_its_row(tmp_path):
    rows = changed(1, "question", "one\rtwo")
    assert read(tmp_path / "t.csv", quoted(rows)) == rows


def test_cells_left_out_at_the_end_are_empty(tmp_path):
    content = b"id,image,note,more\nq0,p.png,x,y\nq1,p.png\nq2\nq3,p.png,x,,,\n"
    assert read(tmp_path / "t.csv", content) == [
        ["q0", "p.png", "x", "y"],
        ["q1", "p.png", "", ""],
        ["q2", "", "", ""],
        ["q3", "p.png", "x", ""],
    ]


def test_a_header_may_run_over_lines(tmp_path):
    content = b'id,image,"the\nquestion"\nq0,p.png,Who?\n'
    assert read(tmp_path / "t.csv", content) == [["q0", "p.png", "Who?"]]


STRAY = [
    {
        (1, "question"): '"STOP" is written on what?',
        (2, "a"): '12" pizza',
        (3, "a"): '"open',
        (0, "b"): 'closed"',
    },
    {
        (0, "a"): '"open',
        (1, "b"): 'closed"',
    },  # as quoted, one row of the right length would swallow the other
    {(0, "answer"): '"A', (1, "id"): 'q1"'},
    {(0, "id"): '"q0', (3, "answer"): 'B"'},
    {(2, "a"): '"a', (2, "b"): 'b"'},  # as quoted, two cells would be one, and the last one missing
    {(1, "question"): '"'},
    {(1, "question"): '""what""'},
]


@pytest.mark.parametrize("stray", STRAY, ids=str)
@pytest.mark.parametrize(
    ("delimiter", "ending"), [("\t", ".tsv"), ("\t", ".csv"), ("|", ".txt"), (",", ".csv")]
)
def test_quotes_of_a_file_that_quotes_nothing_are_text(stray, delimiter, ending, tmp_path):
    if delimiter != "\t" and (2, "b") in stray:
        pytest.skip("a quoted cell may hold a comma")
    rows = ROWS
    for (place, column), text in stray.items():
        rows = changed(place, column, text, rows)

    assert read(tmp_path / f"t{ending}", raw(rows, delimiter)) == rows
    assert "quotes are part of the text" in table_facts(tmp_path / f"t{ending}").describe()


@pytest.mark.parametrize(
    "text",
    ['"STOP"', 'a "b" c', "with, comma", "with\ttab", "over\nlines", "over\n\nmore,\tlines", '"', '""', ""],
)
@pytest.mark.parametrize(("delimiter", "ending"), [(",", ".csv"), ("\t", ".tsv"), (";", ".csv")])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_file_that_quotes_as_the_standard_says_is_read_so(text, delimiter, ending, quoting, tmp_path):
    rows = changed(1, "question", text, changed(3, "a", f"{text} again"))
    rows = changed(2, "b", f'a "{delimiter}" shows that cells are quoted', rows)
    content = quoted(rows, delimiter, quoting=quoting)
    assert read(tmp_path / f"t{ending}", content) == rows


def test_cells_quoted_without_need_are_read_without_their_quotes(tmp_path):
    content = raw(changed(1, "question", '"What is 1?"'))
    assert read(tmp_path / "t.tsv", content) == ROWS


plain_cells = st.text(st.characters(exclude_characters='\t\n\r\0"', exclude_categories=("Cs",)), max_size=8)
stray_cells = st.text(st.sampled_from('"ab ,'), max_size=5)
any_cells = st.one_of(st.sampled_from(['say "hi"', "a,b", "x\ty", "two\nlines", "", '"', ";"]), plain_cells)
quick = settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])


def table_of(cell: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.lists(st.lists(cell, min_size=5, max_size=5), min_size=1, max_size=6).map(
        lambda rows: [[f"q{number}", *row] for number, row in enumerate(rows)]
    )


@quick
@given(rows=table_of(any_cells), delimiter=st.sampled_from(",;\t"), quoting=st.sampled_from([0, 1]))
def test_whatever_is_written_with_quotes_is_read_again(rows, delimiter, quoting, tmp_path):
    wide = [*rows, ["last", "so, that; its", "q\tuotes", 'are "seen"', "", ""]]
    assert read(tmp_path / "t.csv", quoted(wide, delimiter, quoting=quoting)) == wide


@quick
@given(rows=table_of(stray_cells))
@example(rows=[["q0", '"', "", "", "", ""], ["q1", '"', "", "", "", ""]])
@example(rows=[["q0", "", "", "", "", '"a'], ["q1", "", "", "", "", 'b"']])
def test_no_row_of_a_file_without_quoting_vanishes(rows, tmp_path):
    """However its quotes are taken: as many rows come as there are lines, each with its id, or broken."""
    found = read(tmp_path / "t.tsv", raw(rows))

    assert len(found) == len(rows)
    assert all(isinstance(row, str) or row[0] == f"q{number}" for number, row in enumerate(found))


@quick
@given(rows=table_of(plain_cells), keep=st.lists(st.integers(1, 6), min_size=6, max_size=6))
def test_short_rows_keep_their_first_cells(rows, keep, tmp_path):
    short = [row[:count] for row, count in zip(rows, keep, strict=False)]
    found = read(tmp_path / "t.tsv", raw(short))
    assert found == [[*row, *[""] * (len(HEADER) - len(row))] for row in short]


@pytest.mark.parametrize("text", [";;", ",,,\n", "\t\n\t", '"";""\n \n', "sep=;\n;;\n", "\n\n"])
def test_a_table_of_nothing_but_delimiters_has_no_header(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match="has no header: its first line must name the columns"):
        column_names(tmp_path / "t.csv")
    with pytest.raises(TableError, match="has no header"):
        list(raw_rows(tmp_path / "t.csv", []))
