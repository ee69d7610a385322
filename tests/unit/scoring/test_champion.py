from dataclasses import asdict, replace

import pytest

from blip_core.recipes.champion import Champion
from blip_core.scoring import Comparison, Decision, decide, holm

GAIN = Comparison("flan-t5", "finetuned", 0.051, 0.03, 0.072, 0.0004, 260, 2000, 500)


def decided(*comparisons, candidates=(("flan-t5", "finetuned"),), remembered=(), **rule):
    scores = {"comparisons": [asdict(one) for one in comparisons], "candidates": candidates}
    return decide(Champion(**rule), scores, remembered)


def probed(base, after, before=None):
    told = {"probe": "general-questions", "measure": "vqa-accuracy", "words": "VQA accuracy", "rows": 120}
    return {**told, "base": base, "before": base if before is None else before, "after": after}


def test_a_gain_that_meets_the_rule_wins_and_says_on_what_grounds():
    assert decided(GAIN) == Decision(
        True,
        (
            "finetuned against flan-t5: +5.1 points on 2,000 rows, 95 % interval +3.0 to +7.2, p 0.0004; "
            "the rule is met.",
        ),
    )


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        ({"n": 99}, {}, "99 rows were judged, champion.min_rows asks for 100"),
        ({}, {"min_difference": 0.06}, "+5.1 points, champion.min_difference asks for +6.0"),
        ({"difference": 0.0}, {}, "+0.0 points, it has to be above zero"),
        ({"p_value": 0.06}, {}, "p is 0.06, champion.max_p allows 0.05"),
        ({"low": -0.001}, {}, "interval of the difference, -0.1 to +7.2 points, does not lie above zero"),
    ],
)
def test_every_part_of_the_rule_can_fail_and_is_named(changes, rule, reason):
    decision = decided(replace(GAIN, **changes), **rule)
    assert not decision.won
    assert len(decision.reasons) == 1
    assert reason in decision.reasons[0]


def test_all_that_failed_is_told():
    decision = decided(replace(GAIN, n=10, clusters=10, p_value=0.3, low=-0.1))
    assert len(decision.reasons) == 3


def test_the_adjusted_value_decides():
    corrected = holm([replace(GAIN, p_value=0.03), replace(GAIN, a="baseline", p_value=0.04)])
    assert not decided(*corrected).won
    assert decided(corrected[0], max_p=0.06).won


def test_another_pair_wins_nothing():
    decision = decided(replace(GAIN, a="baseline"))
    assert decision == Decision(False, ("No tuned variant was compared with its base without adapter.",))


def test_one_of_several_tuned_variants_is_enough():
    pairs = (("flan-t5", "finetuned"), ("flan-t5", "other"))
    decision = decided(replace(GAIN, p_value=0.5), replace(GAIN, b="other"), candidates=pairs)
    assert decision.won
    assert [reason.split()[0] for reason in decision.reasons] == ["other"]


def test_scores_that_name_no_candidates_win_nothing():
    assert not decide(Champion(), {"comparisons": [asdict(GAIN)]}).won


@pytest.mark.parametrize(("base", "after"), [(0.8, 0.6), (0.5, 0.0), (7.1, 6.3)])
def test_a_gain_is_not_enough_where_too_much_was_forgotten(base, after):
    decision = decided(GAIN, remembered=[probed(base, after)])
    assert not decision.won
    assert "the rule is met" in decision.reasons[0]
    assert (
        f"general-questions: VQA accuracy was {base:.3g} without adapter and is {after:.3g}"
        in decision.reasons[1]
    )
    assert "max_forgotten allows 10%" in decision.reasons[1]


@pytest.mark.parametrize(("base", "after"), [(0.8, 0.73), (0.8, 0.9), (0.0, 0.0), (0.0, 0.3)])
def test_what_is_kept_or_was_never_there_is_not_forgotten(base, after):
    assert decided(GAIN, remembered=[probed(base, after)]).won


def test_small_losses_of_several_phases_add_up():
    assert not decided(GAIN, remembered=[probed(0.8, 0.7, before=0.75)]).won


def test_the_recipe_says_how_much_may_be_forgotten():
    assert decided(GAIN, remembered=[probed(0.8, 0.6)], max_forgotten=0.25).won
