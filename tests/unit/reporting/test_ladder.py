from dataclasses import asdict, replace

import pytest

from blip_core.reporting import Ladder, Rung, from_scores
from blip_core.scoring import Accuracy
from blip_core.scoring.main_measure import Ranking


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


def judged_on(ladder, *counts):
    """The same ladder with so many rows for each variant."""
    pairs = zip(ladder.rungs, counts, strict=True)
    rungs = [replace(rung, accuracy=replace(rung.accuracy, n=count)) for rung, count in pairs]
    return replace(ladder, rungs=rungs)


@pytest.mark.parametrize(
    ("counts", "said"),
    [((1, 1, 1), "Only 1 row was"), ((2, 2, 2), "Only 2 rows were"), ((200, 200, 29), "Only 29 rows were")],
)
def test_a_ladder_of_too_few_rows_says_that_it_says_nothing(ladder, counts, said):
    none = [replace(one, p_value=1.0) for one in ladder.comparisons]
    few = replace(judged_on(ladder, *counts), comparisons=none)
    assert few.verdict.startswith(f"{said} judged, too few to tell")
    assert "better" not in few.verdict
    assert replace(few, comparisons=[]).verdict == few.verdict


def test_a_difference_that_few_rows_prove_is_told(ladder):
    assert judged_on(ladder, 24, 24, 24).verdict == ladder.verdict


@pytest.mark.parametrize("count", [30, 31, 2000])
def test_a_ladder_of_enough_rows_is_read_as_it_stands(ladder, count):
    assert judged_on(ladder, *[count] * 3).verdict == ladder.verdict


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


@pytest.mark.parametrize(
    ("highs", "top"), [([], 1.0), ([0.0], 1.0), ([0.0, 0.0], 1.0), ([0.0, 1e-9], 1e-9), ([2.5, 0.0], 2.5)]
)
def test_bars_have_a_length_to_be_a_share_of_even_where_all_variants_got_nothing(highs, top):
    rungs = [Rung(f"v{place}", Accuracy(0.0, 0.0, high, 20)) for place, high in enumerate(highs)]
    assert Ladder(rungs, [], None, Ranking("cider", "CIDEr-D", 10.0)).top == top
