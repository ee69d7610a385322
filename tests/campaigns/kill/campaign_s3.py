"""Writers of a store in a bucket are killed by the hundred, on two machines; and its server goes away."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blip_core.store import Store
from tests.campaigns.kill.conftest import Campaign
from tests.campaigns.kill.writers import FILES, WORK, instants
from tests.faults.forge import Forge
from tests.s3 import moto
from tests.s3.writers import KILLED, PATIENT, shared

MACHINES = 2
WRITERS = 4
OPEN_KEYS = 8  # so many artefacts are in the making at once
LONGEST_SECONDS = 0.5  # about as long as one takes to publish
OUTAGES = 10
OUTAGE_KEYS = 60  # so many take longer than all outages
_OUTAGE_SECONDS = (0.3, 2.0)


@pytest.fixture(scope="module")
def door() -> Iterator[moto.Door]:
    """What stands before the server, and is open but during outages."""
    with moto.running() as port:
        door, before = moto.Door(port), dict(os.environ)
        door.open()
        os.environ.update(moto.environment(door.port))
        yield door
        door.shut()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def forge(door: moto.Door, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    log = tmp_path_factory.mktemp("forge") / "forge.log"
    with Forge(["tests.s3.writers", "tests.campaigns.kill.writers"], log) as forge:
        yield forge


class Shared:
    """A store that the machines of a test share, and what was asked of it."""

    def __init__(self, forge: Forge, name: str, folder: Path, draw: random.Random) -> None:
        self.address = f"s3://{moto.BUCKET}/{name}"
        self.keys: list[str] = []
        self.store: Store = shared(self.address, str(folder / "reader"))
        self._forge, self._folder, self._draw = forge, folder, draw
        self._whole: dict[str, str] = {}

    def new(self) -> str:
        self.keys.append(f"rows-{len(self.keys)}")
        return self.keys[-1]

    def draw(self) -> str:
        """One of the keys that are not complete."""
        missing = [key for key in self.keys if key not in self._whole]
        missing += [self.new() for _ in range(OPEN_KEYS - len(missing))]
        return self._draw.choice(missing)

    def start(self, key: str, fatal: str = "") -> int:
        machine = self._folder / f"machine-{self._draw.randrange(MACHINES)}"
        return self._forge.start(KILLED, address=self.address, cache=str(machine), key=key, fatal=fatal)

    def wait(self, writer: int) -> int:
        code = self._forge.wait(writer)
        assert code in (0, -signal.SIGKILL), self._forge.log.read_text()[-5000:]
        return code

    def look(self, key: str) -> bool:
        """Whether an artefact is there: whole, with the digest that it had before, or not at all."""
        found = self.store.find(key)
        if found is not None:
            assert self._whole.setdefault(key, found.digest) == found.digest
        assert found is not None or key not in self._whole
        return found is not None

    def end(self) -> None:
        """Publish what is missing; all is as if nobody had been killed, and nothing else is left."""
        for key in self.keys:
            assert self.wait(self.start(key)) == 0
            assert self.look(key)
        undisturbed = self._folder / "undisturbed"
        undisturbed.mkdir()
        for key in self.keys:
            assert self._forge.run(WORK, root=str(undisturbed), key=key) == 0
        calm = {one.key: one.digest for one in Store(undisturbed).artifacts()}
        assert calm == self._whole == {one.key: one.digest for one in self.store.artifacts()}
        assert self.store.quarantined() == []
        self.store.place.forget_abandoned()  # of writers that died between their manifest and their sweeping
        left = list(self.store.place.objects.list("artifacts"))
        assert len(left) == (FILES + 1) * len(self.keys)


@pytest.fixture
def bucket(request: pytest.FixtureRequest, forge: Forge, campaign: Campaign, tmp_path: Path) -> Shared:
    return Shared(forge, request.node.name, tmp_path, random.Random(campaign.seed))


def test_killed_at_named_points(bucket: Shared, campaign: Campaign):
    draw, killed = random.Random(campaign.seed), 0
    while killed < campaign.s3_kills // 3:
        key = bucket.draw()
        killed += bucket.wait(bucket.start(key, draw.choice(instants()))) < 0
        bucket.look(key)
    bucket.end()


def test_killed_at_any_moment(bucket: Shared, campaign: Campaign):
    draw, killed = random.Random(campaign.seed), 0
    while killed < campaign.s3_kills // 3:
        key = bucket.draw()
        writer = bucket.start(key)
        time.sleep(draw.uniform(0, LONGEST_SECONDS))
        os.kill(writer, signal.SIGKILL)
        killed += bucket.wait(writer) < 0
        bucket.look(key)
    bucket.end()


def test_several_writers_of_one_key_are_killed(bucket: Shared, campaign: Campaign):
    draw, killed = random.Random(campaign.seed), 0
    while killed < campaign.s3_kills // 3:
        key = bucket.new()
        doomed = [draw.choice(instants()) for _ in range(draw.randrange(1, WRITERS + 1))]
        writers = [bucket.start(key, fatal) for fatal in doomed]
        survivor = bucket.start(key)
        killed += sum(bucket.wait(writer) < 0 for writer in writers)
        assert bucket.wait(survivor) == 0
        assert bucket.look(key)
    bucket.end()


@pytest.mark.parametrize("patience_s", [0.0, 30.0])
def test_the_server_goes_away_while_writers_are_at_work(
    patience_s: float, forge: Forge, door: moto.Door, campaign: Campaign, tmp_path: Path
):
    """Writers that are told at once and come back, and writers that wait."""
    bucket = Shared(forge, f"outages-{patience_s:.0f}", tmp_path, random.Random(campaign.seed))
    draw, over = random.Random(campaign.seed), threading.Event()
    keys = [bucket.new() for _ in range(OUTAGE_KEYS)]
    jobs = [
        {"cache": str(tmp_path / f"machine-{one % MACHINES}"), "keys": draw.sample(keys, len(keys))}
        for one in range(WRITERS)
    ]
    writers = [forge.start(PATIENT, address=bucket.address, patience_s=patience_s, **job) for job in jobs]
    outages = threading.Thread(target=_go_away, args=(door, draw, over))
    outages.start()
    codes = [forge.wait(writer) for writer in writers]
    outages.join()

    assert codes == [0] * WRITERS, forge.log.read_text()[-5000:]
    bucket.end()


def _go_away(door: moto.Door, draw: random.Random, over: threading.Event) -> None:
    for _ in range(OUTAGES):
        over.wait(draw.uniform(*_OUTAGE_SECONDS))
        door.shut()
        over.wait(draw.uniform(*_OUTAGE_SECONDS))
        door.open()
