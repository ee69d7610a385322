"""Answers: what one says, and how all of a table are read, or refused where that is not certain."""

from decimal import Decimal

import pytest

from blip_core.errors import TableError
from blip_core.records import OPTION_LETTERS
from blip_core.sources.answers import MAX_STRAY_SHARE, Answer, AnswerReading, settle_reading
from blip_core.sources.cells import RowRefused
from blip_core.sources.forms import answer_text
from blip_core.sources.options import Options

FOUR = ("a frog", "a bus", "a kite", "a cake")
TEN = (*FOUR, "a hat", "a hen", "a jar", "a key", "a map", "a net")
COUNTS = ("3", "2", "1", "0")
YES_NO = ("yes", "no")


def options(*texts: str, labels: tuple[str, ...] = ()) -> Options:
    return Options((*texts, *[""] * (4 - len(texts))), labels)


def settle(answers: list, texts=FOUR, column: str = "answer", told="", names=None, **more) -> AnswerReading:
    """How answers are read; `texts` are the options of every row, or a list of those of each."""
    rows = texts if isinstance(texts, list) else [texts] * len(answers)
    found = [
        Answer(number, answer_text(answer), row if isinstance(row, Options) else options(*row))
        for number, (answer, row) in enumerate(zip(answers, rows, strict=True), start=1)
    ]
    return settle_reading([one for one in found if one.text], column, names or {}, told, **more)


def letters(answers: list, texts=FOUR, **more) -> str:
    """Letters of all rows, "-" of those that have none, "!" of those that are refused."""
    reading = settle(answers, texts, **more)
    rows = texts if isinstance(texts, list) else [texts] * len(answers)
    read = ""
    for answer, row in zip(answers, rows, strict=True):
        try:
            asked = row if isinstance(row, Options) else options(*row)
            read += reading.letter(answer_text(answer), asked) or "-"
        except RowRefused:
            read += "!"
    return read


def refused(answers: list, texts=FOUR, **more) -> str:
    with pytest.raises(TableError) as caught:
        settle(answers, texts, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("answers", "way"),
    [
        (["A", "b", "(C)", " d. "], "letters"),
        (["A)", "(b)", "c.", "[D]"], "letters"),
        (["A:", "**B**", '"C"', "<d>"], "letters"),
        (["Answer: A", "The answer is B.", "the correct answer is (C)", "answer=D"], "letters"),
        (["option_a", "Option B", "choice c", "opt-d"], "letters"),
        (["Ａ", "ｂ", "（Ｃ）", "Ｄ．"], "letters"),
        (["①", "②", "③", "④"], "letters"),
        (["⑴", "❷", "➂", "④"], "letters"),
        (["Ⓐ", "ⓑ", "⒞", "🄓"], "letters"),
        (["가", "나", "다", "라"], "letters"),
        (["甲", "乙", "丙", "丁"], "letters"),
        (["㉠", "㉯", "ㄷ", "라."], "letters"),
        (["정답: A", "答案：B", "正解 C", "답 D"], "letters"),
        (["A. a frog", "(b) a bus", "C: A KITE", "D - a cake"], "letters"),
        ([["A"], ["B"], ("C",), ["D", "D"]], "letters"),
        (['["A"]', "['B']", "[C]", "D"], "letters"),
        (["0", "1", "2", "3"], "from-zero"),
        ([0, 1, 2, 3], "from-zero"),
        (["0.0", "1.0", "2.0", "3.0"], "from-zero"),
        (["0,0", "1,0", "2,0", "3,00"], "from-zero"),
        ([Decimal("0.000"), Decimal(1), Decimal("2.0"), Decimal("3")], "from-zero"),
        (["０", "１", "２", "３"], "from-zero"),
        ([[0], [1], [2], [3]], "from-zero"),
        ([1.0, 2.0, 3.0, 4.0], "from-one"),
        (["1번", "2번", "第3", "4番"], "from-one"),
        (["choice 1", "Option 2", "option_3", "(4)"], "from-one"),
        (["01", "02", "03", "04"], "from-one"),
        (["a frog", "A BUS", "a  kite", "a cake."], "texts"),
        (["1. a frog", "2. a bus", "(3) a kite", "4) a cake"], "texts"),
        (["a frog", "b", "a kite", "D"], "letters or texts"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_is_read_in_the_form_that_a_table_writes_it_in(answers, way):
    assert letters(answers) == "ABCD"
    assert settle(answers).way == way


@pytest.mark.parametrize(
    "answers", [OPTION_LETTERS, range(10), range(1, 11), TEN, [*TEN[:9], "j"]], ids=lambda answers: answers[0]
)
def test_an_answer_to_ten_options_is_a_letter_a_number_or_a_text(answers):
    assert letters([*answers], TEN) == "".join(OPTION_LETTERS)


@pytest.mark.parametrize(
    ("answers", "texts", "told"),
    [
        (["1", "2", "3"], FOUR, ["from-zero", "from-one"]),
        (["1"], ("a frog", "a bus"), ["from-zero", "from-one"]),
        (["choice 2", "choice 3"], FOUR, ["from-zero", "from-one"]),
        (["0", "3"], COUNTS, ["from-zero", "texts"]),
        (["1", "4"], ("4", "3", "2", "1"), ["from-one", "texts"]),
        ([1, 2], ("1.0", "4.0", "2.0", "3.0"), ["from-zero", "texts"]),
        (["A", "C"], ("D", "C", "B", "A"), ["letters", "texts"]),
        (["b"], ("B", "A"), ["letters", "texts"]),
        ([True, False], YES_NO, ["truths", "from-zero"]),
        ([1, 0], YES_NO, ["truths", "from-zero"]),
        (["TRUE", "false"], ("correct", "incorrect"), ["truths", "from-zero"]),
        ([True, False], FOUR, ["from-zero"]),
        (["0", "4"], FOUR, ["from-zero", "from-one"]),
        (["0", "a frog"], FOUR, ["from-zero", "texts"]),
        (["A", "2"], FOUR, ["letters", "from-zero", "from-one"]),
        (["0", "5"], FOUR, ["from-zero"]),
    ],
)
def test_where_the_rows_do_not_decide_the_table_is_refused_with_the_ways_to_settle_it(answers, texts, told):
    message = refused(answers, texts)
    assert "the column 'answer'" in message
    for way in told:
        assert f"--answers {way}" in message
        settle(answers, texts, told=way)


def test_a_refusal_shows_what_an_answer_would_mean_either_way():
    message = refused(["A", "2", "3"][1:])
    assert "'2' in row 1 is C ('a kite') read as places of options, counted from 0" in message
    assert "and B ('a bus') read as places of options, counted from 1" in message


@pytest.mark.parametrize(
    ("told", "answers", "texts", "read"),
    [
        ("from-zero", ["1", "2"], FOUR, "BC"),
        ("from-one", ["1", "2"], FOUR, "AB"),
        ("texts", ["0", "3"], COUNTS, "DA"),
        ("from-zero", ["0", "3"], COUNTS, "AD"),
        ("letters", ["A", "C"], ("D", "C", "B", "A"), "AC"),
        ("texts", ["A", "C"], ("D", "C", "B", "A"), "DB"),
        ("truths", [True, 0, "y"], YES_NO, "ABA"),
        ("from-zero", [True, False], YES_NO, "BA"),
        ("letters", ["A", "B", "2", "a frog"], FOUR, "AB!!"),
        ("from-one", ["1", "0", "5", "4"], FOUR, "A!!D"),
    ],
)
def test_what_somebody_says_settles_how_answers_are_read(told, answers, texts, read):
    assert letters(answers, texts, told=told) == read
    assert settle(answers, texts, told=told).is_told


def test_rows_of_fewer_options_tell_where_numbers_start():
    assert letters(["2", "3"], [("a frog", "a bus"), FOUR]) == "BC"
    assert letters(["0", "3"], [("a frog", "a bus"), FOUR]) == "AD"


def test_rows_that_fit_one_way_alone_decide_for_the_others():
    assert letters(["A", "C"], [("D", "C", "B", "A"), FOUR]) == "AC"
    assert letters(["1", "7"], [COUNTS, ("5", "6", "7", "8")]) == "CC"
    assert letters(["0", "3", "1"], [COUNTS, FOUR, FOUR]) == "ADB"


def test_a_text_of_the_same_case_comes_before_others():
    genotypes = ("FF", "Ff", "ff", "none")
    assert letters(["FF", "ff", "Ff"], genotypes) == "ACB"
    assert letters(["FF", "ff", "fF"], genotypes) == "AC!"


@pytest.mark.parametrize(
    ("answers", "texts"), [([True, False], ("True", "False")), (["no", "YES"], ("No", "Yes"))]
)
def test_truths_that_are_texts_are_read_as_texts(answers, texts):
    assert letters(answers, texts) == "AB"


def test_truths_and_places_that_agree_are_read():
    assert letters([0, 1], ("no", "yes")) == letters([False, True], ("no", "yes")) == "AB"


def test_a_misprint_costs_its_row_alone():
    assert letters(["E", "A", "B", "C"]) == "!ABC"
    assert letters(["2", "A", "B", "C"]) == "!ABC"
    assert letters(["a dog", *FOUR]) == "!ABCD"
    many = [*"0123"] * int(1 / MAX_STRAY_SHARE)
    assert letters([*many, "7", "A"]) == "ABCD" * int(1 / MAX_STRAY_SHARE) + "!!"


def test_one_number_among_many_does_not_open_another_way():
    many = [*"1234"] * 10
    assert letters([*many, "0"]) == "ABCD" * 10 + "!"


def test_an_answer_whose_letter_and_text_differ_is_refused():
    assert letters(["A. a frog", "C. a bus", "B) a bus", "2. a cake"]) == "A!B!"


@pytest.mark.parametrize("answer", ["AB", "A, B", "A B", "A or B", "A?B", "E", "5", "Option E", "[]x", "В"])
def test_what_says_nothing_or_several_things_is_refused(answer):
    assert letters([answer, "B", "C", "B"]) == "!BCB"


@pytest.mark.parametrize("answers", [["A", "B"], ["a frog", "a bus"], [1, 2]])
def test_several_answers_to_one_question_are_refused(answers):
    with pytest.raises(RowRefused) as caught:
        answer_text(answers)
    assert caught.value.reason == "several-answers"


HIDDEN = ["-1", -1, -1.0, "?", "N/A", "None", "none", "hidden", "nan", "NULL", "empty", "-", "*", "비공개"]


@pytest.mark.parametrize("marker", HIDDEN)
def test_answers_that_are_kept_back_are_none(marker):
    reading = settle([marker] * 4)
    assert (reading.way, reading.known, sum(reading.hidden.values())) == ("none", 0, 4)
    assert "nothing is scored" in reading.describe()
    assert letters([marker] * 4) == "----"
    assert letters([marker, "B", "C", marker]) == "-BC-"
    assert letters([marker, "0", "3", marker]) == "-AD-"


@pytest.mark.parametrize("answer", [None, "", " ", float("nan"), [], [None]])
def test_absent_answers_do_not_count(answer):
    assert answer_text(answer) == ""
    assert settle([answer, "0", "1"]).known == 2


def test_what_stands_for_no_answer_may_be_an_options_text():
    with_none = ("a frog", "a bus", "a kite", "None")
    assert letters(["None", "None"], with_none) == "DD"
    assert letters(["None", "a bus", "a kite"], with_none) == "DBC"
    signs = ("+", "-", "0", "none")
    assert letters(["-", "+", "none"], signs) == "BAD"


def test_where_it_may_be_either_the_row_is_refused():
    with_none = ("a frog", "a bus", "a kite", "None")
    rows = [with_none, FOUR, FOUR, FOUR]
    assert letters(["None", "A", "B", "C"], rows) == "!ABC"
    assert letters(["None", "None", "a frog", "a bus"], rows) == "!-AB"
    assert letters(["None"] * 4, rows) == "----"
    assert letters(["None", "a frog", "a bus", "a kite"], rows, told="texts") == "DABC"
    assert letters(["None", "A", "B", "C"], rows, told="letters") == "-ABC"


def test_the_name_of_the_column_tells_indices_from_texts():
    assert letters(["0", "3"], COUNTS, column="answer_index") == "AD"
    assert letters(["0", "3"], COUNTS, column="Answer text") == "DA"
    assert letters(["B"], ("B", "A"), column="answer_letter") == "B"
    assert letters(["a bus"], column="correct_idx") == "B"
    assert "--answers from-one" in refused(["1", "2"], column="answer_idx")


def test_an_answer_that_names_its_options_column_means_that_option():
    names = {"choice0": 0, "choice1": 1, "choice2": 2, "choice3": 3}
    assert letters(["choice_1", "Choice 2"], names=names) == "BC"


@pytest.mark.parametrize("labels", [("1", "2", "3", "4"), ("0", "1", "2", "3"), ("A", "B", "C", "D")])
def test_what_a_row_calls_its_options_comes_before_numbers_of_places(labels):
    assert letters([labels[1], labels[2]], options(*FOUR, labels=labels)) == "BC"


def test_letters_that_are_those_of_other_places_are_not_certain():
    moved = options("a bus", "a frog", labels=("B", "A"))
    assert letters(["a bus", "a frog", "B"], moved) == "AB!"


def test_numbers_of_classes_without_names_say_nothing_by_themselves():
    message = refused([0, 1, 2, 3], is_nameless=True)
    assert "--answers from-zero or --answers from-one" in message
    assert letters([0, 1, 2, 3], is_nameless=True, told="from-zero") == "ABCD"


def test_a_column_that_holds_something_else_is_named_with_the_mend():
    message = refused(["a boat", "a hat", "an owl", "A"])
    assert "3 of 4 answers in the column 'answer'" in message
    assert "'a boat' in row 1" in message
    assert "--column answer=NAME" in message
    assert "--column answer= " in message
    assert "leave --answers out" in refused([*FOUR], told="from-one")


def test_a_reading_is_told_to_people_and_to_programs():
    reading = settle(["A", "-1", "B", "C", "?"])
    assert reading.describe() == "read as letters of options; kept back in 2 rows ('-1', '?')"
    assert reading.to_row() == {"read_as": "letters", "told": False, "known": 3, "hidden": {"-1": 1, "?": 1}}
    assert settle(["1", "-1"], told="from-one").describe() == (
        "read as places of options, counted from 1, as told; kept back in 1 row ('-1')"
    )
    assert settle([]).describe() == "none, so nothing is scored"
