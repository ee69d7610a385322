from dataclasses import replace

import numpy as np
import pytest

from blip_core.errors import EmptyDataset, TableError
from blip_core.scoring import Comparison, compare, verdict
from blip_core.scoring.paired import mcnemar_p


def outcomes(both, only_a, only_b, neither):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def compared(answered, a, b, per_picture=1, seed=0):
    return compare(answered("flan-t5", a, per_picture), answered("finetuned", b, per_picture), seed)


def test_the_p_value_is_the_exact_binomial_tail(answered):
    result = compared(answered, *outcomes(40, 2, 8, 10))
    assert result.p_value == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert (result.discordant, result.n, result.clusters) == (10, 60, 60)


@pytest.mark.parametrize(("only_a", "only_b", "p_value"), [(1, 7, 0.0703), (6, 16, 0.0525)])
def test_the_p_value_is_that_of_fagerland_lydersen_and_laake_2013(only_a, only_b, p_value):
    """BMC Medical Research Methodology 13:91, "exact conditional" of its two examples."""
    assert mcnemar_p(only_a, only_b) == pytest.approx(p_value, abs=5e-5)


def test_three_points_of_a_thousand_with_260_discordant_are_not_significant(answered):
    result = compared(answered, *outcomes(600, 115, 145, 140))
    assert result.difference == pytest.approx(0.03)
    assert result.p_value == pytest.approx(0.07, abs=0.005)
    assert not result.is_significant


def test_the_difference_is_what_b_gains(answered):
    a, b = outcomes(10, 1, 5, 4)
    assert compared(answered, a, b).difference == pytest.approx(0.2)
    assert compared(answered, b, a).difference == pytest.approx(-0.2)


def test_the_interval_agrees_with_the_clustered_standard_error(answered):
    rng = np.random.default_rng(1)
    easy = np.repeat(rng.random(300) < 0.5, 4)
    a = rng.random(1200) < np.where(easy, 0.9, 0.5)
    b = rng.random(1200) < np.where(easy, 0.95, 0.6)
    result = compared(answered, a.tolist(), b.tolist(), per_picture=4)
    gains = (b.astype(float) - a).reshape(300, 4).mean(axis=1)
    margin = 1.96 * gains.std(ddof=1) / np.sqrt(300)
    assert result.low == pytest.approx(gains.mean() - margin, abs=0.003)
    assert result.high == pytest.approx(gains.mean() + margin, abs=0.003)
    assert result.clusters == 300


def test_asking_the_same_of_a_picture_again_narrows_nothing(answered):
    a, b = outcomes(60, 10, 20, 10)
    once = compared(answered, a, b)
    four_times = compared(answered, np.repeat(a, 4).tolist(), np.repeat(b, 4).tolist(), per_picture=4)
    assert (four_times.low, four_times.high) == pytest.approx((once.low, once.high))
    assert compared(answered, np.repeat(a, 4).tolist(), np.repeat(b, 4).tolist()).low > once.low


def test_the_same_seed_gives_the_same_interval_and_order_does_not_matter(answered):
    a, b = outcomes(60, 10, 20, 10)
    first, second = answered("flan-t5", a), answered("finetuned", b)
    assert compare(first, second, seed=3) == compare(first[::-1], second, seed=3)
    assert compare(first, second, seed=3) != compare(first, second, seed=4)


def test_equal_answers_differ_by_nothing(answered):
    result = compared(answered, [True, False] * 10, [True, False] * 10)
    assert (result.difference, result.low, result.high, result.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_other_questions_are_refused(answered):
    with pytest.raises(TableError, match=r"1 were answered by the first alone and 0 .*q00002"):
        compare(answered("flan-t5", [True] * 3), answered("finetuned", [True] * 2))


def test_a_question_answered_twice_is_refused(answered):
    rows = answered("flan-t5", [True] * 2)
    with pytest.raises(TableError, match="flan-t5 answers question q00001 2 times"):
        compare([*rows, rows[1]], rows)


@pytest.mark.parametrize("change", [{"truth": "C"}, {"picture_id": "other"}])
def test_other_truths_are_refused(answered, change):
    rows = answered("flan-t5", [True])
    with pytest.raises(TableError, match="different tables"):
        compare(rows, [replace(rows[0], variant="finetuned", **change)])


def test_nothing_to_compare_is_an_error():
    with pytest.raises(EmptyDataset, match="no predictions"):
        compare([], [])


@pytest.mark.parametrize(
    ("difference", "low", "high", "p_value", "words"),
    [
        (0.034, 0.012, 0.057, 0.0021, "finetuned is better than flan-t5 by 3.4 points"),
        (-0.5, -0.6, -0.4, 1e-9, "finetuned is worse than flan-t5 by 50.0 points"),
        (0.01, -0.01, 0.03, 0.4, "finetuned and flan-t5 cannot be told apart (+1.0 points"),
        (0.02, 0.001, 0.04, 0.06, "finetuned and flan-t5 cannot be told apart (+2.0 points"),
    ],
)
def test_the_verdict_claims_a_difference_only_when_interval_and_p_agree(
    difference, low, high, p_value, words
):
    assert verdict(
        Comparison("flan-t5", "finetuned", difference, low, high, p_value, 99, 1000, 500)
    ).startswith(words)


def test_the_verdict_shows_its_grounds():
    text = verdict(Comparison("a", "b", 0.034, 0.012, 0.057, 0.0004, 99, 1000, 500))
    assert text == "b is better than a by 3.4 points (95 % interval +1.2 to +5.7, p < 0.001)."
