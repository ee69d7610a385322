from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.errors import RecipeError
from blip_core.inference.answers import gather_answers, to_prediction, turn_back
from blip_core.inference.flagging import MIN_MARGIN, flags_of
from blip_core.inference.prompting import Question, answer_prompt, ask, rotated, rotation_of
from blip_core.modeling.text import Prompt
from blip_core.recipes.inference import Inference
from blip_core.records import LETTERS, Example, Prediction

OPTIONS = ("dog", "boat", "tree", "cup")
PROMPT = Prompt([1, 2], is_cut=False)
CIRCULAR = Inference(answer_prompt="{question} {a} {b} {c} {d}", circular=True, free_generation=False)


def example(options: tuple[str, ...] = OPTIONS, answer: str = "B") -> Example:
    a, b, c, d, *more = options
    return Example(
        *("q", "p", "g", "park", "mcq", b"", "", "Which?", a, b, c, d, answer, "boat", "A boat."),
        kind="what",
        more=tuple(more),
    )


def answered(by_rotation: list[list[float]], truth: str = "B") -> Prediction:
    """The prediction from the probabilities that were given in each rotation, as asked."""
    asked = [
        Question(0, "both", rotation, PROMPT, rotated(example(), rotation))
        for rotation in range(len(LETTERS))
    ]
    answers = gather_answers([example(answer=truth)], "x", CIRCULAR, [""], [False], asked, by_rotation, {})
    return answers.predictions[0]


@given(st.integers(0, 3))
def test_a_rotation_moves_the_options_up_and_turning_back_undoes_it(places: int) -> None:
    asked = rotated(example(), places)
    shares = [OPTIONS.index(option) / 10 for option in asked.options]

    assert asked.a == OPTIONS[places]
    assert turn_back(example(), places, shares) == [0.0, 0.1, 0.2, 0.3]


def test_two_options_rotate_among_themselves() -> None:
    yes_no = example(("yes", "no", "", ""))

    assert [rotated(yes_no, places).options[:2] for places in range(3)] == [
        ("yes", "no"),
        ("no", "yes"),
        ("yes", "no"),
    ]
    assert rotation_of(yes_no, 1) == [1, 0, 2, 3]


def test_who_always_says_a_is_right_in_one_rotation_and_even_on_the_average() -> None:
    said = answered([[0.7, 0.1, 0.1, 0.1]] * 4)

    assert (said.ranked, said.rotations_right) == ("A", 1)
    assert (said.mean_a, said.mean_b, said.mean_c, said.mean_d) == pytest.approx((0.25,) * 4)


def test_who_follows_the_option_is_right_in_all_rotations() -> None:
    following = [[0.1, 0.7, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7], [0.1, 0.1, 0.7, 0.1]]

    said = answered(following)

    assert said.rotations_right == 4
    assert (said.mean_a, said.mean_b, said.mean_c, said.mean_d) == pytest.approx((0.1, 0.7, 0.1, 0.1))


def test_without_a_truth_nothing_is_counted_right() -> None:
    assert answered([[0.7, 0.1, 0.1, 0.1]] * 4, truth="").rotations_right is None


@pytest.mark.parametrize(
    ("chances", "text", "cut", "flags"),
    [
        ([0.7, 0.1, 0.1, 0.1], "A", False, ""),
        ([0.7, 0.1, 0.1, 0.1], "a dog", False, "no-letter"),
        ([0.7, 0.1, 0.1, 0.1], "B", False, "disagrees"),
        ([0.7, 0.1, 0.1, 0.1], "A", True, "cut-prompt"),
        (
            [0.25 + MIN_MARGIN / 2, 0.25, 0.25, 0.25 - MIN_MARGIN / 2],
            "B",
            True,
            "disagrees cut-prompt low-margin",
        ),
    ],
)
def test_what_is_odd_is_flagged(chances: list[float], text: str, cut: bool, flags: str) -> None:
    assert flags_of(to_prediction(example(), "x", "", chances, text), wrote_freely=True, is_cut=cut) == flags


def test_where_nothing_was_written_freely_no_letter_is_missed() -> None:
    silent = to_prediction(example(), "x", "", [0.7, 0.1, 0.1, 0.1], "")

    assert flags_of(silent, wrote_freely=False, is_cut=False) == ""


@pytest.mark.parametrize(("text", "cut"), [("a dog", False), ("a dog", True), ("", False), ("", True)])
@pytest.mark.parametrize("task", ["vqa", "caption"])
def test_a_free_answer_is_odd_where_it_is_empty_or_its_prompt_was_cut(
    task: str, text: str, cut: bool
) -> None:
    written = replace(to_prediction(example(), "x", "", [0.7, 0.1, 0.1, 0.1], text), task=task)

    flags = flags_of(written, wrote_freely=True, is_cut=cut).split()

    assert flags == ["no-text"] * (not text) + ["cut-prompt"] * cut


def test_without_a_description_its_line_is_left_out() -> None:
    settings = Inference(answer_prompt="Choose.\nDescription: {description}\n{question} {a} {b} {c} {d}")

    told = {mode: ask(settings, example(), "A boat.", mode, 0)[1] for mode in ("both", "blind")}

    assert told == {
        "both": "Choose.\nDescription: A boat.\nWhich? dog boat tree cup",
        "blind": "Choose.\nWhich? dog boat tree cup",
    }


def test_a_description_within_a_line_leaves_a_gap() -> None:
    settings = Inference(answer_prompt="{description} {question} {a} {b} {c} {d}")

    asked, text = ask(settings, replace(example(), question="Where?"), "A boat.", "one-stage", 1)

    assert (text, asked.a) == (" Where? boat tree cup dog", "boat")


LISTED = Inference(answer_prompt="Choose {letters}.\n{question}\nA. {a}\nB. {b}\nC. {c}\nD. {d}\n\nAnswer:")
SIX = (*OPTIONS, "bus", "cat")


def test_a_prompt_lists_as_many_options_as_there_are() -> None:
    assert answer_prompt(LISTED, example(("yes", "no", "", "")), "") == (
        "Choose A or B.\nWhich?\nA. yes\nB. no\n\nAnswer:"
    )
    assert answer_prompt(LISTED, example(SIX), "") == (
        "Choose A, B, C, D, E or F.\nWhich?\nA. dog\nB. boat\nC. tree\nD. cup\nE. bus\nF. cat\n\nAnswer:"
    )


def test_options_in_one_line_are_listed_alike() -> None:
    prompt = LISTED.model_copy(update={"answer_prompt": "{question} (A) {a}, (B) {b}, (C) {c}, (D) {d}?"})

    assert answer_prompt(prompt, example(SIX), "") == (
        "Which? (A) dog, (B) boat, (C) tree, (D) cup, (E) bus, (F) cat?"
    )


def test_a_prompt_that_names_no_letters_cannot_list_a_fifth() -> None:
    with pytest.raises(RecipeError, match="does not show how to list more"):
        answer_prompt(CIRCULAR, example(SIX), "")


def test_a_row_is_asked_in_as_many_rotations_as_it_has_options() -> None:
    two = example(("yes", "no", "", ""))
    ways = [Question(0, "both", rotation, PROMPT, rotated(two, rotation)) for rotation in range(2)]

    said = gather_answers(
        [two], "x", CIRCULAR, [""], [False], ways, [[0.2, 0.8, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0]], {}
    ).predictions[0]

    assert (said.offered, said.rotations_right, said.truth) == (2, 2, "B")
    assert said.means == pytest.approx((0.3, 0.7, 0.0, 0.0))


def test_a_letter_beyond_the_options_is_no_answer() -> None:
    shares = [0.5, 0.5, 0.0, 0.0]

    assert to_prediction(example(("yes", "no", "", "")), "x", "", shares, "C").generated_letter == ""
    assert to_prediction(example(SIX), "x", "", [1 / 6] * 6, "F. cat").generated_letter == "F"
