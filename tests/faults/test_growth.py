"""Two growers of one line, and a grower that is killed; `make campaign-growth` does the same by the dozen."""

import random
from pathlib import Path

import pytest

from tests.faults.forge import Forge
from tests.faults.growing import grow_alone, grow_killed, race

pytestmark = pytest.mark.slow

RACES = 2
KILLS = 2


def test_of_two_growers_one_wins_and_the_other_is_told_so(forge: Forge, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    won = [race(forge, home, 8 * number) for number in range(1, RACES + 1)]
    assert won[-1]["parent"] == won[-2]["digest"]
    assert won[-1]["digest"] == grow_alone(forge, tmp_path / "alone", 8 * RACES)["digest"]


def test_a_growth_that_is_killed_ends_with_the_same_bytes(forge: Forge, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    made = grow_killed(forge, home, 24, KILLS, random.Random(1))
    assert made["digest"] == grow_alone(forge, tmp_path / "alone", int(made["rows"]))["digest"]
