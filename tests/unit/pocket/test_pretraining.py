from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from blip_core.pocket.pretraining import STATE_NAME, Plan, publish_folder, step_rng, train_part

PLAN = Plan(steps=6, peak_lr=0.1, warmup=2, log_every=10, save_every=2)


class Killed(Exception):
    pass


def train(folder: Path, die_at: int | None = None) -> Tensor:
    torch.manual_seed(0)
    model = nn.Linear(3, 1)

    def loss_at(step: int) -> Tensor:
        if step == die_at:
            raise Killed
        batch = torch.from_numpy(step_rng(PLAN.seed, step).standard_normal((4, 3))).float()
        return (nn.functional.dropout(model(batch), 0.5) - 1).square().mean()

    train_part(folder, model, loss_at, PLAN, report=lambda line: None)
    return model.weight.detach()


@pytest.mark.parametrize("die_at", [1, 3, 5])
def test_a_killed_part_ends_with_the_weights_of_one_that_was_not(tmp_path: Path, die_at: int) -> None:
    with pytest.raises(Killed):
        train(tmp_path / "killed", die_at)
    assert torch.equal(train(tmp_path / "killed"), train(tmp_path / "whole"))


def test_a_finished_part_is_not_trained_again(tmp_path: Path) -> None:
    weights = train(tmp_path)
    assert torch.equal(train(tmp_path, die_at=0), weights)


def test_a_state_of_another_module_is_refused(tmp_path: Path) -> None:
    train(tmp_path)
    assert (tmp_path / STATE_NAME).exists()
    with pytest.raises(ValueError, match="belongs to another module"):
        train_part(tmp_path, nn.Bilinear(2, 2, 2), lambda step: torch.zeros(()), PLAN)


def test_a_checkpoint_is_swapped_whole(tmp_path: Path) -> None:
    folder = tmp_path / "final"
    publish_folder(folder, lambda place: (place / "old").touch())

    def fail(place: Path) -> None:
        (place / "new").touch()
        raise Killed

    with pytest.raises(Killed):
        publish_folder(folder, fail)
    assert [path.name for path in folder.iterdir()] == ["old"]
    publish_folder(folder, lambda place: (place / "new").touch())
    assert [path.name for path in folder.iterdir()] == ["new"]
