"""Writers of the store are killed by the hundred: at named points, at any moment, and several at once."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blip_core.store import Artifact, Store
from tests.campaigns.kill.conftest import Campaign
from tests.campaigns.kill.writers import KIND, WORK, instants
from tests.faults.forge import Forge

OPEN_KEYS = 8  # so many artefacts are in the making at once
WRITERS = 4
LONGEST_SECONDS = 0.12  # about as long as one takes to publish


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A forge that imports little: these workers need the store alone."""
    with Forge(["tests.campaigns.kill.writers"], tmp_path_factory.mktemp("forge") / "forge.log") as forge:
        yield forge


@pytest.fixture
def draw(campaign: Campaign) -> random.Random:
    return random.Random(campaign.seed)


class Wanted:
    """Keys that shall be published, a new one for each that is complete."""

    def __init__(self, store: Store) -> None:
        self.keys: list[str] = []
        self._store = store

    def new(self) -> str:
        self.keys.append(self._store.key(KIND, {"number": len(self.keys)}))
        return self.keys[-1]

    def draw(self, draw: random.Random) -> str:
        """One of the keys that are not complete."""
        missing = [key for key in self.keys if not self._store.has(key)]
        missing += [self.new() for _ in range(OPEN_KEYS - len(missing))]
        return draw.choice(missing)


def undisturbed(forge: Forge, root: Path, key: str) -> Artifact:
    """The artefact of a key as a store has it in which nobody was killed."""
    root.mkdir(exist_ok=True)
    assert forge.run(WORK, root=str(root), key=key) == 0, forge.log.read_text()
    (found,) = [artifact for artifact in Store(root).artifacts(KIND) if artifact.key == key]
    return found


def assert_sound(store: Store, complete: dict[str, str]) -> None:
    """Everything that was ever complete still is, what is visible is whole, and nothing was put aside."""
    for artifact in store.artifacts():
        assert store.find(artifact.key) == artifact
        assert complete.setdefault(artifact.key, artifact.digest) == artifact.digest
    assert all(store.has(key) for key in complete)
    assert not (store.root / "quarantine").exists()


def assert_ends_as_if_undisturbed(forge: Forge, store: Store, wanted: list[str], tmp_path: Path) -> None:
    for key in wanted:
        assert forge.run(WORK, root=str(store.root), key=key) == 0, forge.log.read_text()
        assert store.find(key).digest == undisturbed(forge, tmp_path / "undisturbed", key).digest
    assert list((store.root / "staging").iterdir()) == []
    assert sorted(path.name for path in (store.root / "artifacts").iterdir()) == sorted(wanted)


def test_killed_at_named_points(forge: Forge, draw: random.Random, campaign: Campaign, tmp_path: Path):
    store, complete, killed = Store(tmp_path / "store"), {}, 0
    store.root.mkdir()
    wanted = Wanted(store)
    while killed < campaign.store_kills // 3:
        key, fatal = wanted.draw(draw), draw.choice(instants())
        code = forge.run(WORK, root=str(store.root), key=key, fatal=fatal)
        assert code in (0, -signal.SIGKILL), forge.log.read_text()
        killed += code < 0
        assert_sound(store, complete)
    assert_ends_as_if_undisturbed(forge, store, wanted.keys, tmp_path)


def test_killed_at_any_moment(forge: Forge, draw: random.Random, campaign: Campaign, tmp_path: Path):
    store, complete, killed = Store(tmp_path / "store"), {}, 0
    store.root.mkdir()
    wanted = Wanted(store)
    while killed < campaign.store_kills // 3:
        killed += kill_after(forge, store, wanted.draw(draw), draw.uniform(0, LONGEST_SECONDS))
        assert_sound(store, complete)
    assert_ends_as_if_undisturbed(forge, store, wanted.keys, tmp_path)


def kill_after(forge: Forge, store: Store, key: str, seconds: float) -> bool:
    """Kill a writer after some time; whether it was still there."""
    writer = forge.start(WORK, root=str(store.root), key=key)
    time.sleep(seconds)
    os.kill(writer, signal.SIGKILL)  # a zombie takes it, too: nobody has waited for it
    code = forge.wait(writer)
    assert code in (0, -signal.SIGKILL), forge.log.read_text()
    return code < 0


def test_several_writers_of_one_key_are_killed(
    forge: Forge, draw: random.Random, campaign: Campaign, tmp_path: Path
):
    store, complete, killed = Store(tmp_path / "store"), {}, 0
    store.root.mkdir()
    wanted = Wanted(store)
    while killed < campaign.store_kills // 3:
        key = wanted.new()
        doomed = [draw.choice(instants()) for _ in range(draw.randrange(1, WRITERS + 1))]
        writers = [forge.start(WORK, root=str(store.root), key=key, fatal=fatal) for fatal in doomed]
        survivor = forge.start(WORK, root=str(store.root), key=key)
        codes = [forge.wait(writer) for writer in writers]
        assert forge.wait(survivor) == 0, forge.log.read_text()
        assert set(codes) <= {0, -signal.SIGKILL}, forge.log.read_text()
        killed += sum(code < 0 for code in codes)
        assert store.has(key)
        assert_sound(store, complete)
    assert_ends_as_if_undisturbed(forge, store, wanted.keys, tmp_path)
