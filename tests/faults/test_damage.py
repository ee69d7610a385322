"""Bytes that changed on the disk: found when they are read, put aside, made again with the same digest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blip_core.store import Artifact, Store
from tests.faults.conftest import Undisturbed
from tests.faults.forge import Forge
from tests.faults.stages import DIGESTS, WORK

pytestmark = pytest.mark.slow

Damage = Callable[[Path], None]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def store(undisturbed: Undisturbed, tmp_path: Path) -> Store:
    """A copy of the store of the undisturbed run."""
    shutil.copytree(undisturbed.home / "store", tmp_path / "store")
    return Store(tmp_path / "store")


def one_of_each_kind(store: Store) -> list[Artifact]:
    return list({artifact.kind: artifact for artifact in store.artifacts()}.values())


def files_of(artifact: Artifact) -> list[Path]:
    """All files of an artefact that hold a byte, its manifest among them."""
    return sorted(path for path in artifact.path.rglob("*") if path.is_file() and path.stat().st_size)


def content(artifact: Artifact) -> tuple[str, str, int]:
    """All that is the same however long it took."""
    return artifact.key, artifact.digest, artifact.rows


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_damage_to_any_file_of_any_kind_is_found_and_put_aside(damage: Damage, store: Store):
    for artifact in one_of_each_kind(store):
        whole = store.root.parent / artifact.key
        shutil.copytree(artifact.path, whole)
        for number, file in enumerate(files_of(artifact)):
            damage(file)
            assert store.find(artifact.key) is None, file
            assert (store.root / "quarantine" / f"{artifact.key}.{number}").is_dir()
            shutil.copytree(whole, artifact.path)
            assert store.find(artifact.key) == artifact


def test_no_bit_of_what_a_manifest_says_can_flip_unseen(store: Store):
    """What it says of rows and lineage is no file with a digest of its own."""
    artifact = store.artifacts("labels")[0]
    path = artifact.path / "manifest.json"
    whole = path.read_bytes()
    text = whole.index(b'"metadata"')
    for place in range(text, text + 40):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = store.find(artifact.key)
            assert found is None or found == artifact, (place, bit)
            if found is None:
                shutil.copytree(store.root / "quarantine" / f"{artifact.key}.0", artifact.path)
                shutil.rmtree(store.root / "quarantine")
    path.write_bytes(whole)
    assert store.find(artifact.key) == artifact


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_store_that_is_damaged_everywhere_is_made_again(
    damage: Damage, undisturbed: Undisturbed, store: Store, forge: Forge, tmp_path: Path
):
    artifacts = store.artifacts()
    for number, artifact in enumerate(artifacts):
        files = [path for path in files_of(artifact) if path.name != "manifest.json"]
        damage(files[number % len(files)])

    job = {"home": str(tmp_path), "overrides": undisturbed.recipe}
    assert forge.run(WORK, **job) == 0, forge.log.read_text()

    assert json.loads((tmp_path / DIGESTS).read_text()) == undisturbed.digests
    assert [content(one) for one in store.artifacts()] == [content(one) for one in artifacts]
    aside = {path.name.partition(".")[0] for path in (store.root / "quarantine").iterdir()}
    assert aside == {artifact.key for artifact in artifacts}
