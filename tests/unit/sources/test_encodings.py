"""Text in whatever encoding comes out as it was written, or is refused by name; it is not guessed wrongly."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blip_core.errors import TableError
from blip_core.sources.opening import TableInput
from blip_core.sources.tabular import raw_rows, table_facts
from tests.examples import examples

KOREAN = ["무엇이 앞에 있나요?", "사진 속 사람은 몇 명입니까?", "빨간 자동차", "강아지가 뛰고 있습니다"]
JAPANESE = ["何が前にありますか？", "写真には何人写っていますか", "赤い車", "子供が走っている"]
CHINESE = ["前面有什么？", "图片中有多少人", "红色的汽车", "孩子们在操场上跑步"]
TRADITIONAL = ["前面有什麼？", "圖片中有多少人", "紅色的汽車", "孩子們在操場上跑步"]
GERMAN = ["Was steht vor dem Haus? Bäume", "grüne Tür", "fünf Äpfel", "Wie viele Vögel sind zu sehen?"]
PORTUGUESE = ["O que está à frente?", "maçã", "avião e coração", "lápis, pão"]
RUSSIAN = ["Что стоит впереди?", "красная машина", "собака и кошка", "сколько людей?"]
GREEK = ["Τι είναι μπροστά;", "κόκκινο αυτοκίνητο", "σκύλος", "Πόσα άτομα;"]
POLISH = ["Co stoi z przodu? Łódź", "źrebię i ślimak", "żółty dom", "książka, ćma i gęś"]

WRITTEN = [
    *(
        (KOREAN, name)
        for name in ("cp949", "euc_kr", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
    ),
    *((JAPANESE, name) for name in ("cp932", "shift_jis", "euc_jp", "utf-16", "utf-32")),
    *((CHINESE, name) for name in ("gb18030", "gbk", "gb2312", "utf-8")),
    (TRADITIONAL, "big5"),
    *((GERMAN, name) for name in ("cp1252", "latin-1", "iso-8859-15", "utf-8", "utf-16-le")),
    *((PORTUGUESE, name) for name in ("cp1252", "latin-1")),
    (RUSSIAN, "cp1251"),
    (GREEK, "cp1253"),
    (POLISH, "cp1250"),
]


def table(questions: list[str], encoding: str, delimiter: str = ",") -> bytes:
    quoted = [f'q{n}{delimiter}p{n}.png{delimiter}"{text}"' for n, text in enumerate(questions)]
    return "\r\n".join([delimiter.join(["id", "image", "question"]), *quoted, ""]).encode(encoding)


def questions(path: Path, content: bytes, encoding: str = "") -> list[str]:
    path.write_bytes(content)
    return [row["question"] for row in raw_rows(TableInput(path, encoding), ["question"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(("texts", "encoding"), WRITTEN, ids=str)
def test_the_encodings_that_spreadsheets_save_in_are_found_out(texts, encoding, delimiter, tmp_path):
    assert questions(tmp_path / "t.csv", table(texts, encoding, delimiter)) == texts


def test_one_row_that_is_not_ascii_tells_the_encoding_of_all(tmp_path):
    texts = [*["What stands in front?"] * 50, KOREAN[0]]
    assert questions(tmp_path / "t.csv", table(texts, "cp949")) == texts
    assert (
        table_facts(tmp_path / "t.csv").describe() == "CSV in cp949, parted by ','; found out, not declared"
    )


@pytest.mark.parametrize("broken", ["café".encode("latin-1"), KOREAN[0].encode("cp949"), b"\xff\xfe"])
def test_a_row_in_another_encoding_does_not_flip_a_table_of_utf_8(broken, tmp_path):
    content = table(KOREAN, "utf-8") + b"q9,p9.png," + broken + b"\r\n"
    *sound, last = questions(tmp_path / "t.csv", content)

    assert sound == KOREAN
    assert any("\udc80" <= char <= "\udcff" for char in last)  # which costs this row when it is used
    assert "1 of 6 lines are no UTF-8" in table_facts(tmp_path / "t.csv").describe()


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        (["café"] * 3, 3),
        (["noël", "año", "maçã"], 2),
        ([KOREAN[0]], 10),
        (["déjà levé"], 10),
        ([GREEK[1]] * 2, 20),
    ],
    ids=["as many", "more", "three bytes", "three characters", "twice as certain"],
)
def test_broken_lines_outweigh_neither_as_many_sound_ones_nor_a_tenth_of_certain_ones(
    sound, broken, tmp_path
):
    content = table(sound, "utf-8") + b"".join(b"q%d,p.png,caf\xe9\r\n" % number for number in range(broken))

    assert questions(tmp_path / "t.csv", content)[: len(sound)] == sound
    told = table_facts(tmp_path / "t.csv").describe()
    assert told.endswith(f"; {broken} of {1 + len(sound) + broken} lines are no UTF-8")


@pytest.mark.parametrize(("sound", "broken"), [(["café"] * 3, 4), ([KOREAN[0]], 11), (["déjà levé"], 11)])
def test_what_more_lines_say_against_than_for_is_no_utf_8_without_doubt(sound, broken, tmp_path):
    content = table(sound, "utf-8") + b"".join(b"q%d,p.png,caf\xe9\r\n" % number for number in range(broken))
    with pytest.raises(TableError, match="is no UTF-8, and "):
        questions(tmp_path / "t.csv", content)


def test_two_tables_in_one_file_keep_the_part_that_is_utf_8(tmp_path):
    content = table(KOREAN, "utf-8") + b"".join(table(KOREAN, "cp949").splitlines(keepends=True)[1:])
    assert questions(tmp_path / "t.csv", content)[:4] == KOREAN


@pytest.mark.parametrize("texts", [["Noël"], ["año", "niño"], ["ağaç", "şişe"], ["naïve"]])
def test_where_several_encodings_fit_all_that_may_be_meant_is_named(texts, tmp_path):
    """In cp1252 and in cp1250, cp1254 or cp1257 other words, each of them possible."""
    with pytest.raises(TableError, match=r"is no UTF-8, and it may be \S+ \(.*\): save it as UTF-8") as told:
        questions(tmp_path / "t.csv", table(texts, "cp1254"))
    assert "--encoding NAME" in str(told.value)


@pytest.mark.parametrize("told", ["cp1254", "windows-1254", "CP1254", " cp1254 "])
def test_whoever_knows_the_encoding_says_it(told, tmp_path):
    assert questions(tmp_path / "t.csv", table(["ağaç"], "cp1254"), told) == ["ağaç"]


@pytest.mark.parametrize("told", ["utf8", "UTF-8", "utf-8-sig"])
def test_a_mark_is_no_text_whatever_is_told(told, tmp_path):
    assert questions(tmp_path / "t.csv", table(GERMAN, "utf-8-sig"), told) == GERMAN


@pytest.mark.parametrize(
    "told", ["nonsense", "hex", "rot13", "punycode", "unicode_escape", "idna", "a\0b", "é"]
)
def test_what_is_no_encoding_of_text_is_refused(told, tmp_path):
    with pytest.raises(TableError, match="is not known; allowed are Python's, such as utf-8, cp949, cp1252"):
        questions(tmp_path / "t.csv", table(GERMAN, "utf-8"), told)


def test_zero_bytes_in_a_cell_do_not_make_a_table_utf_16(tmp_path):
    content = b"id,image,question\nq0,p.png,a\0b\nq1,p.png,c\n"
    assert questions(tmp_path / "t.csv", content) == ["a\0b", "c"]


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.sampled_from(WRITTEN), places=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_no_text_is_ever_read_as_another(written, places, tmp_path):
    """As it was written, or refused: the whole file, or a row whose bytes stand for nothing."""
    own, encoding = written
    texts = [[*own, "What?"][place] for place in places]
    try:
        found = questions(tmp_path / "t.csv", table(texts, encoding))
    except TableError:
        return
    for text, read in zip(texts, found, strict=True):
        assert read == text or any("\udc80" <= char <= "\udcff" for char in read)
