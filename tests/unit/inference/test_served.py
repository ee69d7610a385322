"""What a server's answers become: probabilities, letters, or no letter at all."""

import math
from dataclasses import replace

import pytest

from blip_core.backends.openai_compatible import Reply
from blip_core.inference.served import answer_through, letter_chances


class ScriptedClient:
    """Answers as it is told and keeps what it was asked."""

    def __init__(self, answer: Reply) -> None:
        self.answer = answer
        self.asked: list = []
        self.lengths: list = []

    def reply(self, contents, seeds, *, first_token=False, max_new_tokens=None):
        self.asked += contents
        self.lengths.append((len(contents), first_token, max_new_tokens))
        return [self.answer if first_token else Reply("A dog on sand.", {}, 5, 4) for _ in contents]


def sure(letter: str) -> Reply:
    return Reply(letter, {letter: 0.9, "The": 0.05, f" {letter}": 0.01, "x": 0.04}, 7, 1)


def answered(make_examples, settings, reply, rows=4):
    client = ScriptedClient(reply)
    return client, answer_through(client, make_examples(rows), settings, "served")


def test_probabilities_are_those_of_the_letters_among_themselves(make_examples):
    (row,) = make_examples(1)
    told = Reply("B", {"B": 0.5, " B": 0.1, "\u2581A": 0.2, "(C": 0.1, "Dog": 0.1})
    assert letter_chances(told, row) == pytest.approx([2 / 9, 6 / 9, 1 / 9, 0.0])


def test_letters_that_are_not_offered_get_nothing(make_examples):
    (row,) = make_examples(1)
    two = replace(row, c="", d="")
    assert letter_chances(Reply("C", {"C": 0.9, "A": 0.1}), two) == [1.0, 0.0, 0.0, 0.0]
    assert letter_chances(Reply("C"), two) == [0.0] * 4


@pytest.mark.parametrize(("text", "place"), [("B", 1), ("(D) the park", 3), ("C. a boat", 2)])
def test_without_probabilities_the_letter_of_the_text_has_it_all(make_examples, text, place):
    (row,) = make_examples(1)
    assert letter_chances(Reply(text), row) == [float(place == index) for index in range(4)]


def test_both_stages_are_asked_about_the_picture_and_pictures_travel_as_urls(
    make_examples, inference_settings
):
    client, answers = answered(make_examples, inference_settings, sure("B"), rows=6)
    assert client.lengths == [(4, False, None), (4, True, 8), (2, False, None), (2, True, 8)]
    assert all(content[0]["image_url"]["url"].startswith("data:image/png") for content in client.asked)
    assert "A dog on sand." in client.asked[4][1]["text"]
    first = answers.predictions[0]
    assert (first.description, first.ranked, first.generated) == ("A dog on sand.", "B", "B")
    assert first.p_b == 1.0
    counts = answers.counts
    assert (counts.rows, counts.prompts, counts.tokens, counts.written_tokens) == (6, 12, 72, 30)


def test_an_answer_without_a_letter_is_invalid_and_nothing_is_guessed(make_examples, inference_settings):
    settings = inference_settings.model_copy(update={"circular": True, "free_generation": False})
    _, answers = answered(make_examples, settings, Reply("A dog, I think."))
    for row in answers.predictions:
        assert (row.ranked, row.generated_letter, row.is_right) == ("", "", False)
        assert (row.probabilities, row.margin, row.flags) == ((0.0,) * 4, 0.0, "no-letter")
        assert row.rotations_right == 0
        assert row.generated == "A dog, I think."


def test_modes_and_rotations_are_asked_in_the_words_of_loaded_models(make_examples, inference_settings):
    settings = inference_settings.model_copy(update={"circular": True, "ablations": ("blind",)})
    client, answers = answered(make_examples, settings, sure("A"), rows=2)
    blind = [content for content in client.asked if isinstance(content, str)]
    assert len(blind) == 2
    assert all("A dog on sand." not in content for content in blind)
    assert [row.mode for row in answers.ablations] == ["blind"] * 2
    first = answers.predictions[0]
    assert (first.mean_a, first.mean_b, first.mean_c, first.mean_d) == (0.25,) * 4
    assert first.rotations_right == 1
    assert math.isclose(sum(first.probabilities), 1.0)


def test_progress_counts_every_pass(make_examples, inference_settings):
    told = []
    client = ScriptedClient(sure("A"))
    answer_through(client, make_examples(6), inference_settings, "served", lambda *done: told.append(done))
    assert told[-1] == (12, 12)
