import re
from pathlib import Path

import numpy as np
import pytest

from blip_core.scoring import questions_needed
from blip_core.scoring.paired import mcnemar_p

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "read-the-scores.md"


def test_the_count_is_that_of_a_worked_example():
    """Chow, Shao and Wang, Sample Size Calculations in Clinical Research, McNemar's test: 0.2 against 0.5."""
    assert questions_needed(difference=0.3, discordant=0.7, power=0.8) == 59


def test_so_many_questions_find_a_difference_about_as_often_as_promised():
    n = questions_needed(difference=0.05, discordant=0.15)
    drawn = np.random.default_rng(0).multinomial(n, [0.05, 0.10, 0.85], size=400)
    found = np.mean([mcnemar_p(int(a), int(b)) < 0.05 for a, b, _ in drawn])
    assert found == pytest.approx(0.8, abs=0.06)


def test_smaller_differences_and_more_disagreement_need_more_questions():
    assert questions_needed(0.02, 0.1) > questions_needed(0.04, 0.1) > questions_needed(0.04, 0.05)


@pytest.mark.parametrize(("difference", "discordant"), [(0.0, 0.1), (0.2, 0.1), (0.2, 1.1)])
def test_shares_that_cannot_belong_together_are_refused(difference, discordant):
    with pytest.raises(ValueError, match="discordant"):
        questions_needed(difference, discordant)


def test_the_page_prints_what_the_function_counts():
    heading, *rows = [line.split("|")[1:-1] for line in _table(PAGE.read_text(encoding="utf-8"))]
    shares = [_number(cell) / 100 for cell in heading[1:]]
    assert len(rows) == 5
    for difference, *cells in rows:
        counts = [questions_needed(_number(difference) / 100, share) for share in shares]
        assert [_number(cell) for cell in cells] == counts


def _table(page):
    return re.findall(r"^\| (?:difference \| 10|\d+ points?).*\|$", page, re.MULTILINE)


def _number(cell):
    return int(re.sub(r"\D", "", cell))
