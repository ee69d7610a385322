import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blip_core.inference.letters import best_letter, chances_of, read_letter
from tests.tiny_blip2 import make_example


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"),
        (" D \n", "D"),
        ("B.", "B"),
        ("B) the park", "B"),
        ("(C)", "C"),
        ("C: the park", "C"),
        ("", ""),
        ("E", ""),
        ("b", ""),
        ("Apple", ""),
        ("A dog", ""),
        ("elephant C", ""),
    ],
)
def test_a_letter_is_read_where_it_is_one(text: str, letter: str) -> None:
    assert read_letter(text) == letter


def test_the_most_probable_letter_ranks_first_and_ties_go_to_the_first() -> None:
    assert best_letter([0.1, 0.2, 0.6, 0.1]) == "C"
    assert best_letter([0.1, 0.4, 0.4, 0.1]) == "B"


SCORES = st.lists(st.floats(-50, 50), min_size=4, max_size=4)


@given(SCORES, st.permutations(range(4)))
def test_options_that_change_places_take_their_probabilities_with_them(
    scores: list[float], order: list[int]
) -> None:
    asked = make_example(0, b"", np.random.default_rng(0))
    before, after = chances_of(torch.tensor([scores, [scores[place] for place in order]]), [asked, asked])

    assert after == pytest.approx([before[place] for place in order])
    assert sum(before) == pytest.approx(1.0)


@given(SCORES, st.integers(2, 3))
def test_an_option_that_is_not_offered_has_no_chance(scores: list[float], offered: int) -> None:
    asked = make_example(0, b"", np.random.default_rng(0))
    fewer = asked.with_options([*asked.options[:offered], *[""] * (4 - offered)])
    chances = chances_of(torch.tensor([scores]), [fewer])[0]

    assert chances[offered:] == [0.0] * (4 - offered)
    assert sum(chances) == pytest.approx(1.0)
