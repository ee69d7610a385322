from dataclasses import asdict

from blip_core.reporting import Ladder, from_scores


def test_a_variant_is_set_against_the_one_before_it(ladder):
    assert ladder.comparison_for("baseline") is None
    assert ladder.comparison_for("flan-t5").a == "baseline"
    assert ladder.comparison_for("finetuned").a == "flan-t5"


def test_a_variant_without_its_neighbour_is_set_against_any_other(ladder):
    only_first = Ladder(ladder.rungs, [ladder.comparisons[2]])
    assert only_first.comparison_for("finetuned").a == "baseline"


def test_the_verdict_is_about_the_last_variant(ladder):
    assert ladder.verdict.startswith("finetuned is better than flan-t5 by 5.1 points")


def test_nothing_compared_says_nothing(ladder):
    assert Ladder(ladder.rungs[:1], []).verdict == ""
    assert Ladder([], []).verdict == ""


def test_a_ladder_comes_back_from_json_values(ladder):
    scores = {
        "variants": {
            rung.name: {
                "accuracy": asdict(rung.accuracy),
                "free_generation": rung.free._asdict() if rung.free else None,
                "by_kind": {},
            }
            for rung in ladder.rungs
        },
        "comparisons": [asdict(comparison) for comparison in ladder.comparisons],
    }
    assert from_scores(scores) == ladder
