"""The index finds what a scan of all hashes finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.curation.hamming import HammingIndex

HASH = st.integers(0, 2**64 - 1)


@st.composite
def hashes(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Hashes that are held and hashes that are asked for, many of them few bits from one another."""
    centres = draw(st.lists(HASH, min_size=1, max_size=3))
    moves = st.lists(st.integers(0, 63), max_size=9)
    near = st.builds(lambda one, bits: one ^ sum({1 << bit for bit in bits}), st.sampled_from(centres), moves)
    return draw(st.lists(near | HASH, max_size=40)), draw(st.lists(near, min_size=1, max_size=8))


def scan(held: list[int], asked: int, distance: int) -> set[int]:
    return {one for one in held if (one ^ asked).bit_count() <= distance}


@pytest.mark.parametrize("distance", [0, 3, 4, 7])
@given(drawn=hashes())
def test_the_index_finds_what_a_scan_finds(distance: int, drawn: tuple[list[int], list[int]]) -> None:
    held, asked = drawn
    index = HammingIndex(distance)
    index._lookups = 0  # never falls back on the scan, which it would do for so few
    for one in held:
        index.add(one)

    for one in asked:
        near = index.near(one)
        assert set(near) == scan(held, one, distance)
        assert len(near) == len(set(near))


@pytest.mark.parametrize("far", [5, 12, 16, 40])
def test_few_hashes_are_scanned(far: int) -> None:
    index = HammingIndex(far)
    index.add(0)

    assert index.near((1 << far) - 1) == [0]
    assert index.near((1 << far + 1) - 1) == []
