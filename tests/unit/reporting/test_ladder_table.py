import io
from dataclasses import replace

import pytest
from rich.console import Console

from blip_core.reporting import ChampionSummary, Ladder, show_champion, show_ladder
from blip_core.scoring import Accuracy, holm


def shown(ladder, width=160):
    console = Console(file=io.StringIO(), width=width)
    show_ladder(console, ladder)
    return console.file.getvalue()


def heading(text):
    return next(line for line in text.splitlines() if line.strip())


@pytest.fixture
def rotated(ladder):
    last = replace(ladder.rungs[-1], circular=Accuracy(0.512, 0.49, 0.534, 2000))
    return Ladder([*ladder.rungs[:-1], last], ladder.comparisons)


def test_what_was_not_asked_for_has_no_column(ladder):
    plain = Ladder([replace(rung, free=None) for rung in ladder.rungs], ladder.comparisons)
    assert "circular" not in heading(shown(ladder))
    assert "invalid" in heading(shown(ladder))
    assert "invalid" not in heading(shown(plain))


def test_circular_accuracy_has_a_column_where_it_was_asked_for(rotated):
    text = shown(rotated)
    assert "circular" in heading(text)
    assert "51.2 %" in text


def test_the_adjusted_p_is_shown_and_called_so(ladder):
    shaky = [replace(one, p_value=0.02) for one in ladder.comparisons]
    text = shown(Ladder(ladder.rungs, holm(shaky)))
    assert "p adj." in heading(text)
    assert "0.060" in text
    assert "cannot be told apart" in text
    assert "p adj." not in heading(shown(ladder))


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_cell_is_cut_on_a_usual_terminal(rotated, width):
    text = shown(Ladder(rotated.rungs, holm(rotated.comparisons)), width)
    assert "…" not in text
    assert "+7.2)" in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_variants_that_were_not_compared_have_neither_difference_nor_p(ladder):
    assert "difference" not in heading(shown(Ladder(ladder.rungs, [])))


@pytest.mark.parametrize(
    ("won", "words"), [(True, "becomes the champion"), (False, "does not become champion")]
)
def test_the_decision_comes_with_its_reasons(won, words):
    console = Console(file=io.StringIO(), width=200)
    show_champion(console, ChampionSummary(won, ("One [b] reason.", "Another.")))
    assert words in console.file.getvalue()
    assert "One [b] reason. Another." in console.file.getvalue()
