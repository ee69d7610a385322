"""Which token wrote which character: found whatever the tokens are, or told not to be known."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.chat.thinking import answer_span
from blip_core.backends.chat.tokens import Token, chances_by_place, read_tokens, written

TEXTS = st.text(st.sampled_from("AB (.)*é漢\n</think>"), max_size=12)
WORDS = st.text(st.sampled_from("ABx .*é"), max_size=12)


def cut(text, places):
    """A text in pieces."""
    bounds = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def numbered(pieces):
    """Tokens whose chances say which one they are."""
    return [Token(piece, {piece: index / 1_000}) for index, piece in enumerate(pieces)]


def token_at(pieces, place):
    """Index of the piece that holds a character of the whole text, and its place there."""
    for index, piece in enumerate(pieces):
        if place < len(piece):
            return index, place
        place -= len(piece)
    raise AssertionError("the text ends before")


def is_plain(char):
    return "!" <= char <= "~"


@given(WORDS, st.lists(st.integers(0, 50)))
def test_each_printable_character_is_found_however_a_text_is_cut(text, places):
    pieces = cut(text, places)
    found = chances_by_place(numbered(pieces), "", text, 0, len(text))
    for place, char in enumerate(text):
        if is_plain(char):
            index, offset = token_at(pieces, place)
            assert found[place] == {pieces[index][offset:]: index / 1_000}
        else:
            assert place not in found


@given(WORDS, WORDS, st.sampled_from(["</think>", "[/THINK]", "◁/think▷"]), st.lists(st.integers(0, 50)))
def test_what_precedes_an_answer_is_skipped_however_it_is_cut(thought, answer, mark, places):
    written = f"{thought}{mark}\n{answer}"
    pieces = cut(written, places)
    tokens = numbered(pieces)
    content_too = chances_by_place(tokens, "", written, len(written) - len(answer), len(written))
    content_alone = chances_by_place(tokens, "", answer, 0, len(answer))
    told_apart = chances_by_place(tokens, thought, answer, 0, len(answer))
    assert content_too == content_alone == told_apart
    for place in filter(lambda place: is_plain(answer[place]), range(len(answer))):
        index, _ = token_at(pieces, len(written) - len(answer) + place)
        assert list(told_apart[place].values()) == [index / 1_000]


@given(st.lists(TEXTS), TEXTS, TEXTS)
def test_a_place_that_is_found_holds_the_character_that_the_token_goes_on_with(pieces, thought, content):
    start, end = answer_span(content)
    for place, chances in chances_by_place(numbered(pieces), thought, content, start, end).items():
        (rest,) = chances
        assert rest.startswith(content[start + place])


@given(WORDS, WORDS)
def test_tokens_that_end_in_other_words_are_not_placed(written, content):
    tokens = numbered(list(written))
    said = "".join(filter(is_plain, content))
    if not "".join(filter(is_plain, written)).endswith(said):
        assert chances_by_place(tokens, "", content, 0, len(content)) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "logprob", "top_logprobs", "content", "bytes"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["content", "tokens", "token_logprobs", "top_logprobs"]), JSON) | JSON)
def test_whatever_a_server_calls_logprobs_is_read_as_probabilities_or_not_at_all(told):
    for token in read_tokens(told):
        assert all(0.0 <= chance <= 1.0 + len(token.chances) for chance in token.chances.values())


@pytest.mark.parametrize(
    "number", [float("nan"), float("-inf"), float("inf"), 0.5, True, "-0.1", None, -(10**400)]
)
def test_a_number_that_is_no_logarithm_of_a_probability_counts_as_none(number):
    (token,) = read_tokens({"content": [{"token": "B", "logprob": number}]})
    assert token.chances == {}


def test_one_entry_that_is_no_token_leaves_none():
    sound = {"token": "B", "logprob": -0.1}
    assert len(read_tokens({"content": [sound, sound]})) == 2
    assert read_tokens({"content": [sound, {"token": 3}]}) == []


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"token": "\u0120B"}, " B"),
        ({"token": "\u2581B"}, " B"),
        ({"token": "<0x42>"}, "B"),
        ({"token": "token_id:33", "bytes": [66]}, "B"),
        ({"token": "\u00e2\u0142", "bytes": [226, 130]}, "\ufffd"),
        ({"token": "B", "bytes": [66, "x"]}, "B"),
        ({"token": "B", "bytes": []}, "B"),
    ],
)
def test_tokens_are_read_as_they_read(entry, text):
    (token,) = read_tokens({"content": [entry]})
    assert token.text == text


@given(st.text(st.sampled_from("ABx .*é漢"), max_size=12), st.lists(st.integers(0, 50)))
def test_each_token_of_an_answer_is_told_where_it_begins(text, places):
    pieces = [piece for piece in cut(f"A{text}", places) if piece]
    tokens = [Token(piece, {}, -float(index)) for index, piece in enumerate(pieces)]
    told = written(tokens, "", f"A{text}", 0, len(text) + 1)
    assert told.log_probabilities == tuple(-float(index) for index in range(len(pieces)))
    assert told.starts == tuple(accumulate(map(len, pieces[:-1]), initial=0))


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_token_whose_probability_is_not_told_leaves_the_answer_without(lacking):
    tokens = [
        Token(one, {}, None if place == lacking else -1.0) for place, one in enumerate(["A", " b", "."])
    ]
    assert written(tokens, "", "A b.", 0, 4).log_probabilities == ()


def test_thinking_and_end_tokens_are_no_part_of_an_answer():
    pieces = ["Hm", "</think>", "\n", "A", " dog", "<|im_end|>"]
    told = written([Token(one, {}, -1.0) for one in pieces], "Hm", "A dog", 0, 5)
    assert told.starts == (0, 1)
