import pytest

from blip_core.inference.letters import best_letter, read_letter


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
        ("the answer is B", ""),
        ("elephant C", ""),
    ],
)
def test_only_a_letter_set_off_as_an_option_is_read(text: str, letter: str) -> None:
    assert read_letter(text) == letter


def test_the_most_probable_letter_ranks_first_and_ties_go_to_the_first() -> None:
    assert best_letter([0.1, 0.2, 0.6, 0.1]) == "C"
    assert best_letter([0.1, 0.4, 0.4, 0.1]) == "B"
