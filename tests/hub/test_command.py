"""`foundry prefetch` as a person types it, on a hub of the test's own; then a load with no hub at all."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.prefetching.hub import Hub
from blip_core.recipes import Checkpoint
from blip_core.wiring import checkpoint_identity, locate_checkpoint
from tests.commands import foundry

TINY = "tests/tiny-blip2"
PRESSES = 5
PRESS_AGAIN_S = 5.0


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def environment(home, stand_in, tmp_path):
    return dict(os.environ) | {
        "HF_ENDPOINT": stand_in.url,
        "HF_HOME": str(tmp_path / "hf"),
        "FOUNDRY_HOME": str(home),
        "NO_PROXY": "127.0.0.1",
    }


SETS = [part for field in ("finetune.base", "baseline") for part in ("--set", f'{field}={{id="{TINY}"}}')]


@pytest.fixture
def prefetch(home, stand_in, monkeypatch, tmp_path):
    """Runs the command in this process."""
    # Else it is the environment's, once imported.
    monkeypatch.setattr(Hub.__init__, "__defaults__", (stand_in.url, "model"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return lambda *arguments: foundry("prefetch", "gallery-vqa", *SETS, *arguments)


def pickled(folder: Path, target: Path) -> Path:
    """A copy of a checkpoint whose weights are pickled."""
    from safetensors.torch import load_file

    target.mkdir()
    for path in folder.iterdir():
        if path.suffix != ".safetensors":
            (target / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(folder / "model.safetensors"), target / "pytorch_model.bin")
    return target


def test_pickled_weights_come_as_safetensors_and_load_without_a_hub(
    stand_in, prefetch, home, tiny_blip2, tmp_path
):
    from blip_core.modeling import load_blip2

    repository = stand_in.add(
        TINY, pickled(tiny_blip2("t5"), tmp_path / "pickled"), **{"README.md": b"# Tiny"}
    )
    done = prefetch("--json")
    assert done.code == 0, done.err
    (told,) = json.loads(done.out)["checkpoints"]
    assert told["commit"] == repository.commit
    assert told["converted"] == [f"{TINY}/model.safetensors"]

    stand_in.down = True
    folder = locate_checkpoint(Checkpoint(id=TINY))
    assert not (folder / "pytorch_model.bin").exists()
    bundle, original = load_blip2(folder), load_blip2(tiny_blip2("t5"))
    for (name, weight), same in zip(
        bundle.model.state_dict().items(), original.model.state_dict().values(), strict=True
    ):
        assert torch.equal(weight, same), name
    assert checkpoint_identity(Checkpoint(id=TINY)) == f"{TINY}@{repository.commit}-{told['digest'][:16]}"

    stand_in.asked.clear()
    assert prefetch().code == 0
    assert stand_in.asked == []

    with (folder / "config.json").open("a") as config:
        config.write(" ")
    with pytest.raises(CheckpointError, match=r"is not what was prefetched: config\.json has"):
        locate_checkpoint(Checkpoint(id=TINY))


def test_a_dry_run_names_commit_size_and_room_and_fetches_nothing(stand_in, prefetch, home, tiny_blip2):
    repository = stand_in.add(TINY, tiny_blip2("t5"))
    done = prefetch("--dry-run")
    assert done.code == 0, done.err
    assert repository.commit[:12] in done.out
    assert "GB" in done.out
    assert "free" in done.out
    assert stand_in.fetched() == []
    assert not (home / "models").exists()


def test_without_a_hub_there_is_one_line_and_a_dry_run_still_answers(stand_in, prefetch, home):
    stand_in.down = True
    done = prefetch()
    assert done.code == 1
    assert len(done.err.strip().splitlines()) == 1
    assert str(home / "models" / TINY) in done.err
    assert prefetch("--dry-run").code == 0


def test_a_copy_by_hand_is_locked_offline(stand_in, prefetch, home, tiny_blip2):
    (home / "models" / "tests").mkdir(parents=True)
    (home / "models" / TINY).symlink_to(tiny_blip2("t5"))
    stand_in.down = True
    done = prefetch("--offline")
    assert done.code == 0, done.err
    assert stand_in.asked == []
    assert checkpoint_identity(Checkpoint(id=TINY)).startswith(f"{TINY}@local-")


def interrupt(process: "subprocess.Popen[str]") -> str:
    """What it says when it is interrupted.

    Python loses a signal that comes while it destroys an object; a person then presses again.
    """
    for _ in range(PRESSES):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=PRESS_AGAIN_S)[0]
    raise AssertionError(f"{PRESSES} interruptions did not stop it")


def test_an_interruption_keeps_whole_files(stand_in, environment, prefetch, tiny_blip2):
    stand_in.add(TINY, tiny_blip2("t5"))
    stand_in.slow.add("model.safetensors")
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.app", "prefetch", "gallery-vqa", *SETS],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "model.safetensors" not in stand_in.fetched() and process.poll() is None:
        time.sleep(0.05)
    said = interrupt(process)
    stand_in.slow.clear()
    assert process.returncode == 130
    assert "Interrupted" in said

    stand_in.asked.clear()
    assert prefetch().code == 0
    assert set(stand_in.fetched()) == {"model.safetensors"}
