import pytest

from blip_core.scoring import Comparison, holm, verdict


def compared(p_value, low=0.01):
    return Comparison("a", "b", 0.1, low, 0.2, p_value, 99, 1000, 500)


def test_the_same_hypotheses_fall_as_in_a_published_example():
    """The example of the function `Holm` in the R package HDLSSkST 2.1.0."""
    corrected = holm([compared(p) for p in (0.50, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025)])
    assert [one.is_significant for one in corrected] == [False, False, True, False, False, False, True]


def test_adjusted_values_are_those_worked_out_by_hand():
    """Sorted, 4 x 0.005, 3 x 0.01, 2 x 0.03 and 1 x 0.04; none falls below the one before it."""
    corrected = holm([compared(p) for p in (0.01, 0.04, 0.03, 0.005)])
    assert [one.p_adjusted for one in corrected] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_comparison_keeps_its_value():
    (only,) = holm([compared(0.04)])
    assert (only.p, only.p_adjusted, only.family) == (0.04, 0.04, 1)
    assert "adjusted" not in verdict(only)


def test_nothing_compared_needs_no_correction():
    assert holm([]) == []


def test_the_verdict_goes_by_the_adjusted_value_and_says_so():
    first, _ = holm([compared(0.03), compared(0.03)])
    assert verdict(first) == (
        "b and a cannot be told apart (+10.0 points; 95 % interval +1.0 to +20.0, "
        "p = 0.060 adjusted for 2 comparisons)."
    )
