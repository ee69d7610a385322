"""What must hold of every score, whatever was answered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.records import LETTERS, Prediction
from blip_core.scoring import accuracy, calibration, circular_accuracy, compare, per_letter
from blip_core.scoring.paired import mcnemar_p

few = settings(max_examples=25, deadline=None)


@st.composite
def predictions(draw, min_size=1, max_size=30, variant="v"):
    count = draw(st.integers(min_size, max_size))
    return [_prediction(draw, number, variant) for number in range(count)]


def _prediction(draw, number, variant):
    weights = draw(st.lists(st.integers(1, 100), min_size=4, max_size=4, unique=True))
    chances = [weight / sum(weights) for weight in weights]
    return Prediction(
        id=f"q{number:03d}",
        picture_id=f"p{number // 2:03d}",
        category="",
        kind="",
        variant=variant,
        description="",
        **dict(zip(("p_a", "p_b", "p_c", "p_d"), chances, strict=True)),
        ranked=LETTERS[chances.index(max(chances))],
        generated="",
        generated_letter="",
        truth=draw(st.sampled_from(LETTERS)),
    )


def _permuted(row, order):
    """The same question with the option of letter `i` moved to `order[i]`."""
    chances = {f"p_{LETTERS[new].lower()}": row.probabilities[old] for old, new in enumerate(order)}
    moved = {old: LETTERS[new] for old, new in zip(LETTERS, order, strict=True)}
    return replace(row, **chances, ranked=moved[row.ranked], truth=moved[row.truth])


def _answered_again(draw, rows, variant):
    return [replace(row, variant=variant, ranked=draw(st.sampled_from(LETTERS))) for row in rows]


@few
@given(predictions(), st.permutations(range(4)))
def test_permuting_options_permutes_letters_and_nothing_else(rows, order):
    moved = [_permuted(row, order) for row in rows]
    assert accuracy(moved) == accuracy(rows)
    before, after = per_letter(rows), per_letter(moved)
    assert {LETTERS[new]: before[old] for old, new in zip(LETTERS, order, strict=True)} == after
    assert calibration(moved).ece == pytest.approx(calibration(rows).ece)
    assert calibration(moved).brier == pytest.approx(calibration(rows).brier)


@few
@given(predictions())
def test_perfect_and_sure_answers_score_one_and_no_error(rows):
    perfect = [
        replace(
            row,
            **{f"p_{letter.lower()}": float(letter == row.truth) for letter in LETTERS},
            ranked=row.truth,
            rotations_right=4,
        )
        for row in rows
    ]
    assert accuracy(perfect).value == circular_accuracy(perfect).value == 1.0
    assert (calibration(perfect).ece, calibration(perfect).brier) == (0.0, 0.0)
    assert all(letter.recall in (1.0, None) for letter in per_letter(perfect).values())


@few
@given(predictions(), st.data())
def test_swapping_variants_flips_sign_and_interval_and_keeps_p(rows, data):
    others = _answered_again(data.draw, rows, "w")
    forth, back = compare(rows, others), compare(others, rows)
    assert back.difference == -forth.difference
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low), abs=1e-12)
    assert (back.p_value, back.discordant) == (forth.p_value, forth.discordant)


@few
@given(predictions(), st.data(), st.integers(1, 20))
def test_rows_that_both_answer_alike_add_no_discordant_ones(rows, data, count):
    others = _answered_again(data.draw, rows, "w")
    more = [replace(rows[0], id=f"x{number}", picture_id=f"x{number}") for number in range(count)]
    before = compare(rows, others)
    after = compare([*rows, *more], [*others, *[replace(row, variant="w") for row in more]])
    assert (after.discordant, after.p_value) == (before.discordant, before.p_value)
    assert abs(after.difference) <= abs(before.difference)


@few
@given(st.integers(0, 500), st.integers(0, 500))
def test_p_lies_between_zero_and_one(only_a, only_b):
    assert 0 < mcnemar_p(only_a, only_b) <= 1


@few
@given(predictions())
def test_errors_and_shares_stay_in_their_bounds(rows):
    found = calibration(rows)
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 2
    assert sum(one.n for one in found.bins) == len(rows)
    score = accuracy(rows)
    assert 0 <= score.low <= score.value <= score.high <= 1
