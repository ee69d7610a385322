"""Tables of strangers: whatever the bytes of a file are, they are rows, broken rows or one `TableError`."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from openpyxl import Workbook

from blip_core.errors import TableError
from blip_core.sources.tabular import Broken, column_names, column_types, raw_rows, table_facts
from tests.hostile.mutations import damaged, mutated
from tests.hostile.texts import INJECTION, MARKUP

HEADER = ("id", "image", "question", "options", "answer")
ROWS = (
    ("q1", "p1.png", "무엇이 앞에 있나요?", '["a dog", "a boat"]', "A"),
    ("q2", "p2.png", 'Was steht "vor" dem Haus, und wo?', "['x', 'y']", "2,0"),
    ("q3", "p3.png", f"{INJECTION} {MARKUP}", '{"A": "x", "B": "y"}', "B"),
    ("q4", "p4.png", "two\nlines\u2028of text", "", ""),
)
FILES_A_TEXT = 10  # a workbook or a Parquet file costs more than a text


def delimited(delimiter: str, quoted: bool = True) -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if quoted else " ".join(text.split())

    return "\r\n".join(delimiter.join(map(cell, row)) for row in (HEADER, *ROWS)) + "\r\n"


OBJECTS = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
TEXTS: dict[str, tuple[str, str]] = {
    "csv": (".csv", delimited(",")),
    "semicolons, told": (".csv", "sep=;\r\n" + delimited(";")),
    "tsv": (".tsv", delimited("\t")),
    "unquoted tsv": (".tsv", delimited("\t", quoted=False).replace("Was", '"Was')),
    "json lines": (".jsonl", "\n".join(map(json.dumps, OBJECTS))),
    "a json list": (".json", json.dumps(OBJECTS, indent=1, ensure_ascii=False)),
    "json columns": (".json", json.dumps({name: [row[name] for row in OBJECTS] for name in HEADER})),
}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "cp949", "cp1252", "utf-16", "utf-16-le", "gb18030", "latin-1")


def read_in_every_way(path: Path) -> bool:
    """Whether the table can be read; what it holds has the columns that it names."""
    try:
        names = column_names(path)
        types = column_types(path)
        rows = list(raw_rows(path, list(types)))
    except TableError as error:
        return bool(str(path) not in str(error))  # which no message forgets
    assert set(names) == set(types)
    assert table_facts(path).describe()
    for row in rows:
        if isinstance(row, Broken):
            assert row.reason
        else:
            assert set(row) <= set(names)
    return True


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", TEXTS)
def test_no_case_of_the_campaign_breaks_the_reader_of_a_text_table(kind: str, cases: int, tmp_path: Path):
    ending, sound = TEXTS[kind]
    path = tmp_path / f"t{ending}"
    for case in range(list(TEXTS).index(kind), cases, len(TEXTS)):  # the reader's cases, shared out
        text = mutated(sound, case)
        content = text.encode(ENCODINGS[case % len(ENCODINGS)], "replace")
        path.write_bytes(damaged(content, case) if case % 4 == 0 else content)
        try:
            read_in_every_way(path)
        except Exception as error:
            error.add_note(f"{kind}, case {case}: {path.read_bytes()[:500]!r}")
            raise


def workbook() -> bytes:
    book = Workbook()
    for row in [HEADER, *ROWS, ("q5", 5, 1.5, True, "=1+1")]:
        book.active.append(row)
    book.active.merge_cells("B2:B4")
    return saved(book)


def saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def repacked(content: bytes, case: int) -> bytes:
    """A workbook with one part damaged, in an archive that is whole."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(parts)[case % len(parts)]
    text = parts[name].decode()
    parts[name] = damaged(parts[name], case) if case % 2 else mutated(text, case).encode(errors="replace")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return buffer.getvalue()


FEATURES = Features(
    {
        "id": Value("string"),
        "image": Image(),
        "images": List(Image()),
        "options": List(Value("string")),
        "answer": ClassLabel(names=["A", "B"]),
        "more": {"word": Value("large_string"), "label": ClassLabel(names=["x"])},
    }
)


def arrow_table() -> pa.Table:
    held = {"bytes": b"\x89PNG", "path": "p.png"}
    rows = [
        {
            "id": row[0],
            "image": held,
            "images": [held] * number,
            "options": ["a dog", "무엇이"][:number],
            "answer": number - 1,
            "more": {"word": row[2], "label": 0},
        }
        for number, row in enumerate(ROWS[:3])
    ]
    return Dataset.from_list(rows, FEATURES).data.table.cast(FEATURES.arrow_schema)


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(arrow_table(), buffer, write_page_checksum=True)
    return buffer.getvalue()


def arrow(make: Callable) -> bytes:
    buffer = io.BytesIO()
    with make(buffer, FEATURES.arrow_schema) as writer:
        writer.write_table(arrow_table())
    return buffer.getvalue()


BINARIES: dict[str, tuple[str, bytes, Callable[[bytes, int], bytes]]] = {
    "xlsx": (".xlsx", workbook(), damaged),
    "parts of an xlsx": (".xlsx", workbook(), repacked),
    "parquet": (".parquet", parquet(), damaged),
    "arrow stream": (".arrow", arrow(pa.ipc.new_stream), damaged),
    "arrow file": (".feather", arrow(pa.ipc.new_file), damaged),
}


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("kind", BINARIES)
def test_no_case_of_the_campaign_breaks_the_reader_of_a_binary_table(kind: str, cases: int, tmp_path: Path):
    ending, sound, damage = BINARIES[kind]
    path = tmp_path / f"t{ending}"
    for case in range(cases // FILES_A_TEXT):
        path.write_bytes(damage(sound, case))
        try:
            read_in_every_way(path)
        except Exception as error:
            error.add_note(f"{kind}, case {case}")
            raise


@pytest.mark.parametrize("kind", [*TEXTS, *BINARIES])
def test_sound_tables_are_read_and_damaged_ones_are_not_all_refused(kind: str, tmp_path: Path):
    ending, sound, *damage = {**TEXTS, **BINARIES}[kind]
    path = tmp_path / f"t{ending}"
    path.write_bytes(sound.encode() if isinstance(sound, str) else sound)
    assert read_in_every_way(path)

    def case(number: int) -> bytes:
        return mutated(sound, number).encode(errors="replace") if not damage else damage[0](sound, number)

    read = []
    for number in range(30):
        path.write_bytes(case(number))
        read.append(read_in_every_way(path))
    assert any(read)
