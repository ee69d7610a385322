"""By what variants are ranked: what stands above the values, what MLflow calls them, where they are read."""

import pytest

from blip_core.kinds import KINDS
from blip_core.scoring.main_measure import BY_LETTER, Ranking, main_measure, main_score, ranking, ranking_of


def test_letters_are_ranked_by_accuracy():
    assert ranking("mcq") == BY_LETTER
    assert (BY_LETTER.heading, BY_LETTER.metric, BY_LETTER.is_share) == ("accuracy", "accuracy", True)


@pytest.mark.parametrize(
    ("task", "metric", "is_share"), [("caption", "cider", False), ("vqa", "vqa-accuracy", True)]
)
def test_other_kinds_are_ranked_by_a_measure_under_its_own_name(task: str, metric: str, is_share: bool):
    found = ranking(task)
    assert (found.metric, found.is_share) == (metric, is_share)
    assert found.heading == main_measure(task).words


@pytest.mark.parametrize("task", KINDS)
def test_scores_say_themselves_by_what_they_are_ranked(task: str):
    found = ranking(task)
    kept = {"name": found.name, "words": found.words, "span": found.span}
    assert ranking_of({"measure": kept}) == ranking_of({"variants": {"tuned": {"measure": kept}}}) == found


@pytest.mark.parametrize("scores", [{}, {"variants": {}}, {"variants": {"tuned": {"accuracy": {}}}}])
def test_scores_that_do_not_say_are_of_letters(scores: dict):
    assert ranking_of(scores) == BY_LETTER


def test_a_measure_of_another_span_is_no_share():
    assert not Ranking("cider", "words", 10.0).is_share
    assert not Ranking("length", "words", None).is_share


def test_the_main_score_is_the_accuracy_where_there_is_one():
    assert main_score({"accuracy": {"value": 0.5}, "main": {"value": 0.1}}) == {"value": 0.5}
    assert main_score({"main": {"value": 0.1}}) == {"value": 0.1}
