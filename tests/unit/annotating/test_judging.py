"""Models that look at written texts: what is stored, and what a tie is."""

import pytest

from blip_core.annotating.judging import judged_texts
from blip_core.recipes.judging import Judging
from blip_core.scoring.measures import Answer, measure_named
from tests.unit.examples import example, png, world_pixels
from tests.unit.scoring.measures.test_measures import prediction

PICTURE = png(world_pixels(0))


class LongIsGood:
    """Scores a text by its length."""

    def score(self, pictures, texts):
        return [[len(text) / 100 for text in asked] for asked in texts]

    def embed(self, texts):
        return [[1.0, 0.0] if "red" in text else [0.0, 1.0] for text in texts]

    def close(self):
        pass


def judged(texts, ties="right", truth="a red shoe", **changes):
    rows = [example(number, task="caption", image=PICTURE, target=truth) for number in range(len(texts))]
    said = [
        prediction(id=row.id, task="caption", ranked="", generated=text, target=truth, **changes)
        for row, text in zip(rows, texts, strict=True)
    ]
    model = LongIsGood()
    return list(judged_texts(rows, said, Judging(ties=ties, batch_size=2), model, model))


@pytest.mark.parametrize(("ties", "verdict"), [("right", 1.0), ("wrong", 0.0), ("undecided", None)])
def test_a_text_that_fits_as_well_as_the_right_one_is_what_the_recipe_says(ties, verdict):
    shorter, same, longer = judged(["a shoe", "a red shoe", "a red shoe too"], ties)
    found = [one.scores.get("picture-verdict") for one in (shorter, same, longer)]
    assert found == [0.0, verdict, 1.0]


def test_the_cosine_is_that_of_the_right_text():
    assert [one.scores["sentence-cosine"] for one in judged(["red", "blue", "a red bus"])] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("text", "truth"), [("", "a shoe"), ("  ", "a shoe"), ("a shoe", "")])
def test_where_a_text_is_lacking_nothing_is_found(text, truth):
    assert [one.scores for one in judged([text], truth=truth)] == [{}]


def test_a_verdict_is_held_against_the_attributes():
    said = judged(["a red shoe and more", "a blue shoe and more", "red"], attributes={"color": "red"})
    answers = [Answer(one, "caption", one.generated, ("a red shoe",)) for one in said]
    assert measure_named("picture-verdict").values(answers) == [1.0, 1.0, 0.0]
    assert measure_named("verdict-error").values(answers) == [0.0, 1.0, 1.0]
