"""Cells of strangers: damaged lists of options and answers are rows or refusals, and nothing else."""

import random

import pytest

from blip_core.errors import TableError
from blip_core.records import OPTION_LETTERS
from blip_core.sources.answers import Answer, settle_reading
from blip_core.sources.cells import RowRefused
from blip_core.sources.columns import Columns, guess_columns
from blip_core.sources.forms import READINGS, answer_text
from blip_core.sources.options import Options, read_options
from blip_core.texts import are_alike, is_repeated, places_of
from tests.hostile.mutations import mutated
from tests.hostile.texts import PIECES

LISTS = (
    '["a dog", "a boat", "a tree", "a cup"]',
    "['a dog', \"it's\", 'a tree', None, nan]",
    "['a dog' 'a boat'\n 'a tree']",
    "array(['a dog', 'a boat'], dtype=object)",
    '{"A": "a dog", "B": "a boat", "C": null}',
    '{"text": ["a dog", "a boat"], "label": ["1", "2"]}',
    "A. a dog\nB. a boat\nC. a tree",
    "(A) a dog (B) a boat (C) a tree",
    '[{"label": "A", "text": "a dog"}, {"label": "B", "text": "a boat"}]',
    "[(1, 'a dog'), (2, 'a boat')]",
)
ANSWERS = (
    "Answer: option_b",
    "B. a boat",
    "(2) a boat",
    '["B"]',
    "2.0",
    "①",
    "정답: 2번",
    "a boat",
    "-1",
    "True",
)
OFFERED = Options(("a dog", "a boat", "2", "B"), ("A", "B", "C", "D"))


def some(texts: tuple[str, ...], case: int) -> str:
    return mutated(texts[case % len(texts)], case)


def test_a_damaged_list_is_options_or_a_refusal(cases: int):
    columns = Columns(options="options")
    for case in range(cases):
        try:
            read = read_options({"options": some(LISTS, case)}, columns)
        except RowRefused:
            continue
        assert 2 <= read.offered <= len(OPTION_LETTERS), case
        assert all(read.texts[: read.offered]), case
        assert not is_repeated(read.texts[: read.offered]), case
        assert len(read.labels) in (0, read.offered), case


def test_a_damaged_answer_is_an_option_none_or_a_refusal(cases: int):
    for case in range(cases):
        try:
            text = answer_text(some(ANSWERS, case))
        except RowRefused:
            continue
        if not text:
            continue
        told = (("", *READINGS)[case % (len(READINGS) + 1)],)
        try:
            reading = settle_reading([Answer(1, text, OFFERED)], "answer", {}, *told)
            letter = reading.letter(text, OFFERED)
        except (TableError, RowRefused):
            continue
        assert letter in ("", *"ABCD"), case


def test_any_texts_can_be_compared(cases: int):
    for case in range(cases):
        rng = random.Random(f"texts {case}")
        texts = [rng.choice(PIECES)[:20] + rng.choice(PIECES)[:20] for _ in range(4)]
        assert is_repeated(texts) <= are_alike(texts), case
        assert places_of(texts[0], texts)[0] == 0, case


@pytest.mark.parametrize("kind", range(4))
def test_any_names_are_columns_or_a_refusal(kind: int, cases: int):
    known = (
        ["image", "question", "options", "answer"],
        ["img", "문제", "보기1", "보기2"],
        ["path", "query", "A", "B"],
    )
    for case in range(kind, cases // 10, 4):
        names = [
            mutated(name, case) if place % 2 else name for place, name in enumerate(known[case % len(known)])
        ]
        try:
            columns = guess_columns(names, {})
        except TableError:
            continue
        assert {columns.image, columns.question} <= set(names), case
