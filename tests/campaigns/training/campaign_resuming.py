"""A tuning is killed at every step and at every file of a checkpoint, and every file is damaged."""

import shutil

import pytest

from tests.campaigns.training.conftest import Tunings, steps_kept
from tests.campaigns.training.damage import DAMAGES
from tests.campaigns.training.tuning import CHECKPOINTS, SAVED_EVERY, STEPS

SYNCS = 10  # of one checkpoint: seven files, its folder twice, the folder above


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_killed_at_a_step(tunings: Tunings, step: int):
    home = tunings.kill(tunings.new_home(), fatal_step=step)

    saved = (step - 1) // SAVED_EVERY * SAVED_EVERY
    tunings.assert_ends_undisturbed(home, resumed_at=saved or None)


def test_killed_at_every_step_of_one_tuning(tunings: Tunings):
    home = tunings.new_home()
    for step in range(SAVED_EVERY + 1, STEPS + 1, SAVED_EVERY):
        tunings.kill(home, fatal_step=step)

    tunings.assert_ends_undisturbed(home, resumed_at=(STEPS - 1) // SAVED_EVERY * SAVED_EVERY)


@pytest.mark.parametrize("sync", range(1, SYNCS + 1))
def test_killed_while_the_third_checkpoint_is_written(tunings: Tunings, sync: int):
    home = tunings.kill(tunings.new_home(), fatal_sync=2 * SYNCS + sync)

    assert steps_kept(home) == ([3, 6, 9] if sync == SYNCS else [3, 6])
    tunings.assert_ends_undisturbed(home, resumed_at=9 if sync == SYNCS else 6)


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_a_checkpoint_is_damaged(tunings: Tunings, damage):
    killed = tunings.kill(tunings.new_home(), fatal_step=11)
    names = sorted(path.name for path in (killed / CHECKPOINTS / "step-00000009").iterdir())
    assert len(names) == SYNCS - 3
    for name in names:
        home = tunings.new_home(like=killed)
        damage(home / CHECKPOINTS / "step-00000009" / name)
        tunings.assert_ends_undisturbed(home, resumed_at=6)


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_the_checkpoint_before_is_damaged(tunings: Tunings, damage):
    killed = tunings.kill(tunings.new_home(), fatal_step=11)
    home = tunings.new_home(like=killed)
    for path in (home / CHECKPOINTS / "step-00000006").iterdir():
        damage(path)

    tunings.assert_ends_undisturbed(home, resumed_at=9)


def test_without_a_whole_checkpoint_it_begins_anew(tunings: Tunings):
    home = tunings.kill(tunings.new_home(), fatal_step=11)
    for path in (home / CHECKPOINTS).rglob("adapter.safetensors"):
        path.unlink()
    tunings.assert_ends_undisturbed(home, resumed_at=None)

    gone = tunings.kill(tunings.new_home(), fatal_step=11)
    shutil.rmtree(gone / CHECKPOINTS)
    tunings.assert_ends_undisturbed(gone, resumed_at=None)
