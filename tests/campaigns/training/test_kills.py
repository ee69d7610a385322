"""The short campaign: some kills and some damage; `make campaign-training` does them all."""

import pytest

from tests.campaigns.training.conftest import Tunings, steps_kept
from tests.campaigns.training.damage import delete, truncate
from tests.campaigns.training.tuning import CHECKPOINTS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("fatal_step", "resumed_at"), [(2, None), (20, 18)])
def test_a_killed_tuning_ends_with_the_bits_of_an_undisturbed_one(
    tunings: Tunings, fatal_step: int, resumed_at: int | None
):
    home = tunings.kill(tunings.new_home(), fatal_step=fatal_step)

    tunings.assert_ends_undisturbed(home, resumed_at)


def test_a_damaged_checkpoint_is_skipped_for_the_one_before(tunings: Tunings):
    home = tunings.kill(tunings.new_home(), fatal_step=11)
    assert steps_kept(home) == [6, 9]
    altered = tunings.new_home(like=home)

    truncate(home / CHECKPOINTS / "step-00000009" / "optimiser.safetensors")
    delete(altered / CHECKPOINTS / "step-00000009" / "complete.json")

    tunings.assert_ends_undisturbed(home, resumed_at=6)
    tunings.assert_ends_undisturbed(altered, resumed_at=6)


def test_a_tuning_that_is_done_takes_no_step_when_it_is_asked_again(tunings: Tunings):
    home = tunings.kill(tunings.new_home(), fatal_step=20)
    tunings.finish(home)

    tunings.assert_ends_undisturbed(home, resumed_at=20)
