import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from blip_core.errors import PlaceError, StoreError, TrainingFailure
from blip_core.training import checkpoints
from blip_core.training.checkpoints import Checkpoints, Snapshot
from blip_core.training.randomness import random_states, restore_random_states
from tests.campaigns.training.damage import DAMAGES

OWN = {"seed": 0, "finetune": {"learning_rate": 1e-3, "full": ("query_tokens",)}, "train": "abc"}


def snapshot(step: int, value: float = 0.5) -> Snapshot:
    weights = {"a": torch.full((3,), value), "b": torch.tensor([float(step)])}
    return Snapshot(
        step=step,
        adapter=weights,
        best={},
        optimiser={f"{name}/exp_avg": weight * 2 for name, weight in weights.items()},
        random={"torch": torch.get_rng_state()},
        trainer_state={"global_step": step},
        record={"progress": {"step": step, "loss": 0.1 + 0.2}},
    )


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "kept", OWN)


def steps(kept: Checkpoints) -> list[str]:
    return sorted(path.name for path in kept.root.iterdir())


def test_what_is_saved_is_found_to_the_bit(kept: Checkpoints):
    saved = snapshot(7, value=1 / 3)
    folder = kept.save(saved)

    found, loaded = kept.newest()

    assert found == folder
    assert loaded.record["progress"] == saved.record["progress"]
    assert loaded.trainer_state == saved.trainer_state
    for part in ("adapter", "best", "optimiser", "random"):
        ours, theirs = getattr(saved, part), getattr(loaded, part)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_last_two_are_kept_and_none_is_a_pickle(kept: Checkpoints):
    for step in (5, 10, 15, 20):
        kept.save(snapshot(step))

    assert steps(kept) == ["step-00000015", "step-00000020"]
    assert {path.suffix for path in kept.root.rglob("*") if path.is_file()} == {".json", ".safetensors"}


def test_nothing_saved_is_nothing_found(kept: Checkpoints):
    assert kept.newest() is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_skipped_and_later_replaced(kept: Checkpoints, damage: Callable[[Path], None]):
    kept.save(snapshot(5))
    names = [path.name for path in kept.save(snapshot(10)).iterdir()]
    for name in names:
        damage(kept.root / "step-00000010" / name)

        assert kept.newest()[1].step == 5
        kept.save(snapshot(10))
        assert kept.newest()[1].step == 10


def test_one_under_another_name_is_no_checkpoint(kept: Checkpoints):
    kept.save(snapshot(5)).rename(kept.root / "step-00000050")

    assert kept.newest() is None


def test_one_of_another_tuning_is_refused_by_what_differs(kept: Checkpoints):
    kept.save(snapshot(5))
    other = {**OWN, "seed": 1, "finetune": {**OWN["finetune"], "learning_rate": 2e-3}, "train": "def"}

    with pytest.raises(TrainingFailure) as refused:
        Checkpoints(kept.root, other).newest()

    text = str(refused.value)
    assert "finetune.learning_rate was 0.001 and is 0.002" in text
    assert "seed was 0 and is 1" in text
    assert "the train rows differ" in text
    assert "finetune.full" not in text
    assert f"delete {kept.root}" in text


def test_what_is_no_number_is_never_saved(kept: Checkpoints):
    kept.save(snapshot(5))

    with pytest.raises(TrainingFailure, match=r"a \(adapter\) holds NaN or infinity after step 10"):
        kept.save(snapshot(10, value=float("nan")))

    assert steps(kept) == ["step-00000005"]


def test_a_full_disk_is_one_plain_error_and_earlier_ones_stay(
    kept: Checkpoints, monkeypatch: pytest.MonkeyPatch
):
    kept.save(snapshot(5))

    def write(path: Path, content: bytes) -> None:
        path.write_bytes(content[:10])
        if path.name.startswith("optimiser"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(checkpoints, "_write_file", write)
        with pytest.raises(StoreError, match=r"is full.*make room and run again"):
            kept.save(snapshot(10))

    assert steps(kept) == ["step-00000005"]
    assert kept.newest()[1].step == 5
    kept.save(snapshot(10))
    assert kept.newest()[1].step == 10


def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(PlaceError, match="cannot be written"):
        Checkpoints(tmp_path / "file" / "kept", OWN).save(snapshot(5))


def test_random_states_go_on_where_they_were(kept: Checkpoints):
    random.gauss(0, 1)  # leaves a second number in stock
    np.random.standard_normal()
    kept.save(Snapshot(**{**vars(snapshot(5)), "random": random_states()}))
    expected = drawn()

    restore_random_states(kept.newest()[1].random)

    assert drawn() == expected


def drawn() -> list[Any]:
    return [
        random.gauss(0, 1),
        random.random(),
        np.random.standard_normal(),
        np.random.random(),
        float(torch.rand(())),
    ]
