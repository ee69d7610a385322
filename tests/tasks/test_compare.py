"""Which variants are compared with which, and what is told of each."""

from blip_core.records import Prediction
from tasks.compare import pairs_to_compare, score


def prediction(ranked: str, generated: str) -> Prediction:
    values = {"id": ranked + generated, "picture_id": "p", "category": "food", "kind": "", "variant": "v"}
    chances = dict.fromkeys(("p_a", "p_b", "p_c", "p_d"), 0.25)
    letters = {"ranked": ranked, "generated": generated, "generated_letter": generated, "truth": "A"}
    return Prediction(**values, description="", **chances, **letters)


def test_neighbours_are_compared_first_and_then_each_with_the_first():
    assert pairs_to_compare(3) == [(0, 1), (1, 2), (0, 2)]


def test_one_variant_alone_is_compared_with_none():
    assert pairs_to_compare(1) == []


def test_a_score_tells_ranked_and_free_answers_apart():
    told = score([prediction("A", ""), prediction("A", "A"), prediction("B", "A")], is_free=True)
    assert told["accuracy"]["value"] == 2 / 3
    assert told["free_generation"] == {"accuracy": 2 / 3, "invalid": 1 / 3}


def test_nothing_is_told_of_free_answers_where_none_were_asked_for():
    assert "free_generation" not in score([prediction("A", "")], is_free=False)
