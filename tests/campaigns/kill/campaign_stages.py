"""The stages, without servers, are killed at instants drawn from all that an undisturbed run passes.

One home is killed again and again until a run gets through; then the next home is begun.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from blip_core.store import Store
from tests.campaigns.kill.conftest import Campaign
from tests.faults.conftest import Undisturbed
from tests.faults.forge import Forge
from tests.faults.instants import read_instants, times
from tests.faults.stages import DIGESTS, NOTE, WORK

KILLS_A_HOME = 12


@pytest.fixture
def draw(campaign: Campaign) -> random.Random:
    return random.Random(campaign.seed)


def fatal_instants(undisturbed: Undisturbed, draw: random.Random) -> list[str]:
    """Instants in the order in which runs reach them; each kind of place as likely as any other.

    A place is passed anew in each run, so its count starts at 1 again: a drawn count is one that is reached.
    """
    places = sorted({instant.rpartition(" ")[0] for instant in undisturbed.instants})
    drawn = draw.sample(places, min(KILLS_A_HOME, len(places)))
    first = {place: undisturbed.instants.index(f"{place} 1") for place in drawn}
    return [f"{place} 1" for place in sorted(drawn, key=lambda place: first[place])]


def assert_as_undisturbed(home: Path, undisturbed: Undisturbed, kills: int) -> None:
    assert json.loads((home / DIGESTS).read_text()) == undisturbed.digests
    store, whole = Store(home / "store"), Store(undisturbed.home / "store")
    assert [(one.key, one.digest) for one in store.artifacts()] == [
        (one.key, one.digest) for one in whole.artifacts()
    ]
    assert all(store.find(artifact.key) == artifact for artifact in store.artifacts())
    assert list((store.root / "staging").iterdir()) == []
    assert not (store.root / "quarantine").exists()
    instants = read_instants(home / NOTE)
    shards = {artifact.kind for artifact in whole.artifacts() if artifact.kind.endswith("-shard")}
    begun = sum(times(instants, f"{kind} publish.staged") for kind in shards)
    assert begun <= sum(len(whole.artifacts(kind)) for kind in shards) + kills


def test_killed_at_drawn_instants(
    forge: Forge, undisturbed: Undisturbed, campaign: Campaign, draw: random.Random, tmp_path: Path
):
    killed = number = 0
    while killed < campaign.stage_kills // 2:
        number += 1
        home, kills = tmp_path / str(number), 0
        home.mkdir()
        for fatal in fatal_instants(undisturbed, draw):
            code = forge.run(WORK, home=str(home), overrides=undisturbed.recipe, fatal=fatal)
            assert code in (0, -signal.SIGKILL), forge.log.read_text()
            kills += code < 0
        assert forge.run(WORK, home=str(home), overrides=undisturbed.recipe) == 0, forge.log.read_text()
        assert_as_undisturbed(home, undisturbed, kills)
        killed += kills


def test_killed_at_any_moment(
    forge: Forge, undisturbed: Undisturbed, campaign: Campaign, draw: random.Random, tmp_path: Path
):
    killed = number = 0
    longest = seconds_of_a_run(forge, undisturbed, tmp_path / "undisturbed")
    while killed < campaign.stage_kills // 2:
        number += 1
        home, kills = tmp_path / str(number), 0
        home.mkdir()
        while kill_after(forge, home, undisturbed, draw.uniform(0, longest)):
            kills += 1
        assert_as_undisturbed(home, undisturbed, kills)
        killed += kills


def seconds_of_a_run(forge: Forge, undisturbed: Undisturbed, home: Path) -> float:
    home.mkdir()
    began = time.monotonic()
    assert forge.run(WORK, home=str(home), overrides=undisturbed.recipe) == 0, forge.log.read_text()
    return time.monotonic() - began


def kill_after(forge: Forge, home: Path, undisturbed: Undisturbed, seconds: float) -> bool:
    """Kill a process after some time; whether it was not done yet."""
    process = forge.start(WORK, home=str(home), overrides=undisturbed.recipe)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    code = forge.wait(process)
    assert code in (0, -signal.SIGKILL), forge.log.read_text()
    return code < 0
