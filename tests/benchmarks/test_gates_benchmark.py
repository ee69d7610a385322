"""The benchmark of gates: its page is that of its results, and its figures are what they are called."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import gates_page
from tests.benchmarks.gates import RESULTS, figures


def rows(bad, count=100):
    return [SimpleNamespace(is_bad=place < bad, fault="") for place in range(count)]


def test_the_page_is_that_of_the_results():
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert RESULTS.with_suffix(".md").read_text(encoding="utf-8") == gates_page.page(results)


@pytest.mark.parametrize(
    ("scores", "auc", "recall"),
    [
        (np.arange(100.0), 1.0, 1.0),
        (-np.arange(100.0), 0.0, 0.0),
        (np.where(np.arange(100) < 10, -1.0, np.arange(100.0)), 1.0, 1.0),
        (np.zeros(100), 0.5, 0.0),
    ],
    ids=["low is bad", "high is bad", "one bad value", "no difference"],
)
def test_a_score_is_good_as_far_as_bad_rows_have_lower_ones(scores, auc, recall):
    told = figures(scores, rows(20 if scores[0] == 0 else 10))
    assert told == {"auc": pytest.approx(auc), "recall": pytest.approx(recall)}
