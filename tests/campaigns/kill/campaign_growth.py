"""Pairs of growers race for one line, and a growth is killed at random again and again."""

import os
import random
from pathlib import Path

from tests.campaigns.kill.conftest import Campaign
from tests.faults.forge import Forge
from tests.faults.growing import grow_alone, grow_killed, race

RACES = int(os.environ.get("GROWTH_RACES") or 50)
KILLS = int(os.environ.get("GROWTH_KILLS") or 30)
_ROWS_A_RACE = 8
_ROWS = 40


def test_pairs_of_growers(forge: Forge, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    won = [race(forge, home, _ROWS_A_RACE * number) for number in range(1, RACES + 1)]
    assert [one["parent"] for one in won] == ["", *(one["digest"] for one in won[:-1])]
    assert won[-1]["digest"] == grow_alone(forge, tmp_path / "alone", _ROWS_A_RACE * RACES)["digest"]


def test_a_growth_is_killed(forge: Forge, campaign: Campaign, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    made = grow_killed(forge, home, _ROWS, KILLS, random.Random(campaign.seed))
    assert made["digest"] == grow_alone(forge, tmp_path / "alone", int(made["rows"]))["digest"]
