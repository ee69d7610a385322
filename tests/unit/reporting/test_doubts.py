"""What was measured of doubtful labels, for the page and the tracker."""

from blip_core.reporting.doubts import doubt_cells, doubt_metrics

MADE = {
    "wrong_answers": {"estimated": {"stuck-answers": 0.02, "confidence": 0.1}, "allowed": 0.25},
    "measured": {
        "labeller": {"labels under the bound of confidence": 0.125},
        "blind": {"blind accuracy": 0.3, "blind accuracy, low": 0.25, "blind accuracy, high": 0.36},
        "confidence": {"bound of all": -0.5},
    },
}


def test_estimates_and_figures_stand_in_a_table_but_for_bounds():
    assert doubt_cells(MADE) == [
        ["measured", "value"],
        ["labels that may be wrong, estimated by stuck-answers", "2.0 %"],
        ["labels that may be wrong, estimated by confidence", "10.0 %"],
        ["labels under the bound of confidence (labeller)", "12.5 %"],
        ["blind accuracy (blind)", "30.0 %, 95 % in [25.0 %, 36.0 %]"],
    ]
    assert doubt_cells({}) == []


def test_a_tracker_gets_them_by_names_that_it_can_keep():
    assert doubt_metrics(MADE) == {
        "doubts/wrong_answers/stuck_answers": 0.02,
        "doubts/wrong_answers/confidence": 0.1,
        "doubts/wrong_answers/allowed": 0.25,
        "doubts/labeller/labels_under_the_bound_of_confidence": 0.125,
        "doubts/blind/blind_accuracy": 0.3,
        "doubts/blind/blind_accuracy_low": 0.25,
        "doubts/blind/blind_accuracy_high": 0.36,
    }
    assert doubt_metrics({}) == {}
