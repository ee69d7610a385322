import numpy as np
import pytest

from blip_core.pocket.language import (
    Kind,
    answer_by_scene,
    ask,
    ask_any,
    describe,
    question_kind,
    read_scene,
    tell_scene,
)
from blip_core.pocket.world import Group, PocketScene, Style, draw_scene

SCENE = PocketScene("beach", "noon", (Group("elephant", 2), Group("teddy bear", 1)))


def test_told_and_described_scenes_are_read_back() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        scene = draw_scene(rng, Style.SHIFTED)
        assert read_scene(tell_scene(scene, rng)) == scene
        assert read_scene(describe(scene)) == scene


@pytest.mark.parametrize(
    "text",
    [
        "Two elephants at noon.",
        "Two dragons on the beach at noon.",
        "Two elephants on the beach in the park at noon.",
        "Four elephants and one frog on the beach at noon.",
        "",
    ],
)
def test_a_text_that_tells_no_single_scene_is_refused(text: str) -> None:
    assert read_scene(text) is None


def test_every_question_has_exactly_one_right_option() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        scene = draw_scene(rng, Style.SHIFTED)
        question = ask_any(scene, rng)
        assert len(set(question.options)) == 4
        assert answer_by_scene(scene, question.text, question.options) == question.options[question.answer]
        assert question_kind(question.text) is question.kind


def test_what_is_left_cannot_be_asked_of_a_single_group() -> None:
    assert ask(PocketScene("sea", "night", (Group("car", 1),)), Kind.LEFT, np.random.default_rng(2)) is None


def test_an_answer_is_refused_where_several_options_are_right() -> None:
    options = ("elephant", "teddy bear", "car", "kite")
    assert answer_by_scene(SCENE, "What can be seen here?", options) is None
