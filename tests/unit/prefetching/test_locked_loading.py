"""What wiring makes of the lock when a run looks for its checkpoints."""

import pytest

from blip_core import wiring
from blip_core.errors import CheckpointError
from blip_core.prefetching import LockedCheckpoint
from blip_core.prefetching.damage import lock_file
from blip_core.prefetching.lock import write_lock
from blip_core.recipes import Checkpoint, load_recipe

MODEL = Checkpoint(id="owner/model")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    folder = tmp_path / "models" / "owner" / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("weights")
    return folder


@pytest.fixture
def locked(folder):
    files = {"model.safetensors": lock_file(folder / "model.safetensors")}
    checkpoint = LockedCheckpoint("c" * 40, "v1", files)
    write_lock(wiring.workplace().lock, {"owner/model": checkpoint})
    return checkpoint


def test_a_locked_checkpoint_is_known_by_commit_and_digest(folder, locked):
    assert wiring.checkpoint_identity(MODEL) == f"owner/model@{'c' * 40}-{locked.digest[:16]}"
    assert wiring.locate_checkpoint(MODEL) == folder


def test_a_folder_that_was_never_locked_is_known_by_its_files(folder):
    first = wiring.checkpoint_identity(MODEL)
    (folder / "model.safetensors").write_text("others!")
    assert first.startswith("owner/model@local-")
    assert wiring.checkpoint_identity(MODEL) != first


@pytest.mark.parametrize("revision", [None, "v1", "c" * 40])
def test_the_locked_revision_may_be_named_any_way(folder, locked, revision):
    assert wiring.locate_checkpoint(Checkpoint(id="owner/model", revision=revision)) == folder


def test_another_revision_than_the_locked_one_is_refused(folder, locked):
    with pytest.raises(CheckpointError, match=r"at revision v2, but .* holds cccc"):
        wiring.locate_checkpoint(Checkpoint(id="owner/model", revision="v2"))


def test_a_tampered_checkpoint_is_refused_before_any_work(folder, locked):
    (folder / "model.safetensors").write_text("WEIGHTS")
    recipe = load_recipe("gallery-vqa", "pocket", ['scenes.model={id="owner/model"}'])
    with pytest.raises(CheckpointError, match=r"is not what was prefetched: model\.safetensors is not what"):
        wiring.check_checkpoints(recipe)


def test_weights_that_were_put_beside_the_locked_ones_are_refused(folder, locked):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"adapter_config\.json is not in the lock"):
        wiring.locate_checkpoint(MODEL)
