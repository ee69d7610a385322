"""Captions asked for by ranked options: the words a model chooses, one attribute after the other."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from blip_core.inference.answers import Answers, to_prediction
from blip_core.inference.by_options import by_options
from blip_core.recipes import Inference
from tests.unit.examples import example

COLOR = {"name": "color", "words": ["red", "blue", "black", "white", "green"], "answer": "{word} color"}
MADE = {"name": "material", "words": ["leather", "canvas"], "prompt": "{description} with {color} color and"}


def settings(*options):
    return Inference.model_validate({"options": list(options), "answer_prompt": ""})


def choose(letters, asked):
    """A model that chooses letters in their order, and remembers what it was asked."""
    given = iter(letters)

    def ask(rows, how):
        asked.extend((row.question, [one for one in row.options if one]) for row in rows)
        letter = next(given)
        chances = [float(place == "ABCDE".index(letter)) for place in range(5)]
        return Answers([to_prediction(row, "v", "", chances, "") for row in rows])

    return ask


def test_each_attribute_is_asked_after_what_was_chosen_before():
    asked = []
    row = example(0, task="caption", description="a shoe", attributes={"color": "red", "material": "canvas"})
    (found,) = by_options([row], settings(COLOR, MADE), "v", choose("BA", asked))
    assert found.generated == "blue color leather"
    assert (found.mode, found.task, found.attributes["color"]) == ("options", "caption", "red")
    assert asked == [
        ("a shoe with", ["red color", "blue color", "black color", "white color", "green color"]),
        ("a shoe with blue color and", ["leather", "canvas"]),
    ]


def test_rows_that_are_asked_something_are_not_asked_so():
    rows = [example(0), replace(example(1), task="vqa")]
    assert by_options(rows, settings(COLOR), "v", choose("", [])) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"words": ["red"]}, r"holds 1 word\(s\); 2 to 10"),
        ({"words": ["red", "Red "]}, "words must differ"),
        ({"words": ["red", " "]}, "words must differ"),
        ({"words": [str(n) for n in range(11)]}, r"holds 11 word\(s\); 2 to 10"),
        ({"prompt": "{target} with"}, "nothing fills in"),
        ({"prompt": "{color} with"}, "nothing fills in"),
        ({"answer": "color"}, "must contain {word}"),
    ],
)
def test_options_that_cannot_be_ranked_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        settings({**COLOR, **changes})


def test_an_attribute_is_asked_for_once():
    with pytest.raises(ValidationError, match="more than once"):
        settings(COLOR, COLOR)
