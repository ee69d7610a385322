import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blip_core.curation import curate
from blip_core.errors import EmptyDataset
from blip_core.recipes.curation import BlankPictures, Curation, ExactDuplicates, LetterBalance, NearDuplicates
from blip_core.recipes.curation_of_texts import Lengths
from tests.unit.examples import example, png, world_pixels

OFF = {
    "lengths": Lengths(enabled=False),
    "blank_pictures": BlankPictures(enabled=False),
    "exact_duplicates": ExactDuplicates(enabled=False),
    "near_duplicates": NearDuplicates(enabled=False),
    "letter_balance": LetterBalance(enabled=False),
}
PICTURES = [png(world_pixels(seed)) for seed in range(4)] + [png(np.zeros((64, 64, 3), dtype=np.uint8))]

ROW = st.builds(
    lambda number, image, question, answer, description: example(
        number, image=PICTURES[image], question=question, answer=answer, description=description
    ),
    st.integers(0, 30),
    st.integers(0, len(PICTURES) - 1),
    st.sampled_from(["What?", "Where?", "Which?"]),
    st.sampled_from("AAABCD"),
    st.sampled_from(["a frog in the park", "frog"]),
)
ROWS = st.lists(ROW, max_size=25, unique_by=lambda row: row.id)


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_what_was_curated_passes_again(rows):
    once = curate(rows, Curation())
    twice = curate(once.kept, Curation())

    assert twice.kept == once.kept
    assert twice.rejections == []


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_every_row_is_either_kept_or_refused_once(rows):
    curated = curate(rows, Curation())

    kept = [row.id for row in curated.kept]
    assert sorted(kept + [rejection.id for rejection in curated.rejections]) == sorted(row.id for row in rows)
    assert sum(gate.refused for gate in curated.gates) == len(curated.rejections)


def test_gates_run_in_order_and_count():
    rows = [example(0, image=PICTURES[0]), example(1, image=PICTURES[4]), example(2, description="frog")]

    gates = [(gate.gate, gate.seen, gate.refused) for gate in curate(rows, Curation()).gates]

    assert gates == [
        ("lengths", 3, 1),
        ("blank_pictures", 2, 1),
        ("exact_duplicates", 1, 0),
        ("near_duplicates", 1, 0),
        ("letter_balance", 1, 0),
    ]


@pytest.mark.parametrize("gate", list(OFF))
def test_a_gate_that_is_off_is_not_run(gate: str):
    curated = curate([example(0, image=PICTURES[0])], Curation(**{gate: OFF[gate]}))

    assert gate not in [count.gate for count in curated.gates]


def test_with_all_gates_off_every_row_passes():
    rows = [example(1, image=PICTURES[4], description=""), example(1, image=b"broken")]

    assert curate(rows, Curation(**OFF)).kept == rows


LENGTHS_ALONE = Curation(**{gate: off for gate, off in OFF.items() if gate != "lengths"})


def rows_of_which(seen: int, kept: int):
    """Rows of which the gate of lengths keeps some, the first ones."""
    short = {"description": "frog"}
    return [example(number, **({} if number < kept else short)) for number in range(seen)]


@pytest.mark.parametrize(("seen", "kept"), [(0, 0), (49, 0), (50, 3), (60, 3), (200, 10), (1000, 50)])
def test_a_twentieth_of_the_rows_or_few_rows_at_all_are_enough(seen: int, kept: int):
    assert len(curate(rows_of_which(seen, kept), LENGTHS_ALONE).kept) == kept


@pytest.mark.parametrize(("seen", "kept"), [(50, 0), (50, 2), (60, 2), (200, 9), (1000, 49)])
def test_gates_that_refuse_nearly_all_stop_the_run_and_are_named(seen: int, kept: int):
    with pytest.raises(EmptyDataset, match=rf"kept {kept} of {seen} rows.*lengths {seen - kept} of {seen}"):
        curate(rows_of_which(seen, kept), LENGTHS_ALONE)
