"""What a server's answers become: probabilities, letters, or no letter at all."""

import math
from dataclasses import replace

import pytest

from blip_core.backends.chat import Reply
from blip_core.inference.served import answer_through, letter_chances

ANSWER_TOKENS = 8


class ScriptedClient:
    """Answers as it is told and keeps what it was asked."""

    def __init__(self, answer: Reply, description: Reply | None = None) -> None:
        self.answer = answer
        self.description = description or Reply("A dog on sand.", {}, prompt_tokens=5, written_tokens=4)
        self.asked: list = []
        self.lengths: list = []

    def reply(self, contents, seeds, *, with_chances=False, max_new_tokens=None):
        self.asked += contents
        self.lengths.append((len(contents), with_chances, max_new_tokens))
        return [self.answer if with_chances else self.description for _ in contents]


def told(text: str, place: int = 0, **chances: float) -> Reply:
    return Reply(text, {place: chances}, prompt_tokens=7, written_tokens=1)


def sure(letter: str) -> Reply:
    return told(letter, **{letter: 0.9, "The": 0.05, f" {letter}": 0.01, "x": 0.04})


def answered(make_examples, settings, reply, rows=4, **changes):
    client = ScriptedClient(reply, **changes)
    answers = answer_through(client, make_examples(rows), settings, "served", answer_tokens=ANSWER_TOKENS)
    return client, answers


def test_probabilities_are_those_of_the_letters_among_themselves(make_examples):
    (row,) = make_examples(1)
    reply = told("B", **{"B": 0.5, " B": 0.1, "\u2581A": 0.0, "A": 0.2, "(C": 0.1, "Dog": 0.1})
    assert letter_chances(reply, row) == (pytest.approx([2 / 9, 6 / 9, 1 / 9, 0.0]), [])


def test_probabilities_of_another_place_than_the_letters_are_none(make_examples):
    (row,) = make_examples(1)
    reply = told("The answer is B.", A=0.4, B=0.3, C=0.2, D=0.1)
    assert letter_chances(reply, row) == ([0.0, 1.0, 0.0, 0.0], ["no-probabilities"])


def test_an_answer_that_is_not_offered_is_none_and_another_is_not_guessed(make_examples):
    (row,) = make_examples(1)
    two = replace(row, c="", d="")
    assert letter_chances(told("C", C=0.9, A=0.1), two) == ([0.0] * 4, [])
    assert letter_chances(told("B", C=0.6, B=0.3, A=0.1), two) == (pytest.approx([0.25, 0.75, 0, 0]), [])


@pytest.mark.parametrize(("text", "place"), [("B", 1), ("(D) the park", 3), ("C. a boat", 2)])
def test_without_probabilities_the_letter_of_the_text_has_it_all(make_examples, text, place):
    (row,) = make_examples(1)
    chances, flags = letter_chances(Reply(text), row)
    assert chances == [float(place == index) for index in range(4)]
    assert flags == ["no-probabilities"]


@pytest.mark.parametrize(
    ("reply", "flags"),
    [
        (Reply("", is_refused=True), ["refused"]),
        (Reply("The answer", is_cut=True), ["cut-answer"]),
        (Reply("B. Because", is_cut=True), ["no-probabilities"]),
        (Reply(""), []),
    ],
)
def test_what_is_odd_about_an_answer_is_flagged(make_examples, reply, flags):
    assert letter_chances(reply, *make_examples(1))[1] == flags


def test_both_stages_are_asked_about_the_picture_and_pictures_travel_as_urls(
    make_examples, inference_settings
):
    client, answers = answered(make_examples, inference_settings, sure("B"), rows=6)
    assert client.lengths == [(4, False, None), (4, True, 8), (2, False, None), (2, True, 8)]
    assert all(content[0]["image_url"]["url"].startswith("data:image/png") for content in client.asked)
    assert "A dog on sand." in client.asked[4][1]["text"]
    first = answers.predictions[0]
    assert (first.description, first.ranked, first.generated) == ("A dog on sand.", "B", "B")
    assert (first.p_b, first.flags) == (1.0, "")
    counts = answers.counts
    assert (counts.rows, counts.prompts, counts.tokens, counts.written_tokens) == (6, 12, 72, 30)


def of_two_pictures(make_examples, rows):
    """Rows that show two pictures in turn, one question each."""
    made = make_examples(rows)
    return [replace(row, image=(made[0], made[-1])[place % 2].image) for place, row in enumerate(made)]


def test_a_picture_is_described_once_where_the_prompt_does_not_hold_the_question(
    make_examples, inference_settings
):
    alike = inference_settings.model_copy(update={"describe_prompt": "Describe the picture."})
    client = ScriptedClient(sure("B"))
    told = []
    rows = of_two_pictures(make_examples, 10)
    answers = answer_through(
        client, rows, alike, "served", lambda *done: told.append(done), answer_tokens=ANSWER_TOKENS
    )
    assert [length for length, with_chances, _ in client.lengths if not with_chances] == [2, 0, 0]
    assert {row.description for row in answers.predictions} == {"A dog on sand."}
    assert (answers.counts.prompts, told[-1]) == (12, (20, 20))

    asking = ScriptedClient(sure("B"))
    answer_through(asking, rows, inference_settings, "served", answer_tokens=ANSWER_TOKENS)
    described = sum(length for length, with_chances, _ in asking.lengths if not with_chances)
    assert described == len({(row.image, row.question) for row in rows}) > 2


def test_an_answer_without_a_letter_is_invalid_and_nothing_is_guessed(make_examples, inference_settings):
    settings = inference_settings.model_copy(update={"circular": True, "free_generation": False})
    _, answers = answered(make_examples, settings, told("A dog, I think.", A=0.9, B=0.1))
    for row in answers.predictions:
        assert (row.ranked, row.generated_letter, row.is_right) == ("", "", False)
        assert (row.probabilities, row.margin, row.flags) == ((0.0,) * 4, 0.0, "no-letter")
        assert row.rotations_right == 0
        assert row.generated == "A dog, I think."
        assert not row.tells_probabilities


def test_flags_of_a_row_are_told_once_and_a_missing_description_among_them(make_examples, inference_settings):
    settings = inference_settings.model_copy(update={"circular": True, "ablations": ("one-stage",)})
    _, answers = answered(make_examples, settings, Reply("B"), rows=1, description=Reply("", is_cut=True))
    assert answers.predictions[0].flags == "no-probabilities no-description"
    assert answers.ablations[0].flags == "no-probabilities"
    assert not answers.predictions[0].tells_probabilities


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
    answer_through(
        client,
        make_examples(6),
        inference_settings,
        "served",
        lambda *done: told.append(done),
        answer_tokens=ANSWER_TOKENS,
    )
    assert told[-1] == (12, 12)


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_a_row_without_options_is_answered_by_the_text_and_may_be_as_long_as_a_description(
    make_examples, inference_settings, task
):
    client = ScriptedClient(told("B) a red bus", B=0.9))
    rows = [replace(row, task=task, target="a bus", answer="") for row in make_examples(3)]
    settings = inference_settings.model_copy(update={"max_new_tokens": 40, "circular": True})
    passes: list[tuple[int, int]] = []
    answers = answer_through(
        client,
        rows,
        settings,
        "served",
        lambda done, total: passes.append((done, total)),
        answer_tokens=ANSWER_TOKENS,
    )
    said = {(one.task, one.generated, one.target, one.ranked, one.offered) for one in answers.predictions}
    assert said == {(task, "B) a red bus", "a bus", "", 0)}
    assert {length for _, is_answer, length in client.lengths if is_answer} == {40}
    assert passes[-1] == (6, 6)


def test_a_caption_that_a_server_cut_or_refused_is_flagged(make_examples, inference_settings):
    reply = Reply("", {}, is_cut=True, is_refused=True)
    rows = [replace(row, task="caption") for row in make_examples(1)]
    settings = inference_settings.model_copy(update={"describe_prompt": ""})
    answers = answer_through(ScriptedClient(reply), rows, settings, "served", answer_tokens=ANSWER_TOKENS)
    assert answers.predictions[0].flags.split() == ["no-text", "refused", "cut-answer"]
