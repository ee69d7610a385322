"""Going on after an end at any moment, over all that can be set."""

import errno
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blip_core.errors import StoreError, TrainingFailure
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Adapter
from blip_core.training import TrainingResult, checkpoints, watching
from tests.unit.training.conftest import TuneTiny
from tests.unit.training.ending import Ended, end_at

DROPOUT = Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.1)


def weights(result: TrainingResult) -> bytes:
    return (result.adapter / "adapter_model.safetensors").read_bytes()


def augmented(bundle: Blip2Bundle) -> FreshVisionStates:
    return FreshVisionStates(bundle, "colour", seed=0)


CASES: dict[str, dict[str, Any]] = {
    "opt in passes": {"family": "opt", "settings": {"micro_batch_size": 3, "weight_decay": 0.1}},
    "nf4, computed twice": {"settings": {"quantisation": "nf4", "gradient_checkpointing": True}},
    "bfloat16": {"dtype": "bfloat16"},
    "augmented": {"settings": {"features": "fresh", "augmentation": "colour"}, "states_of": augmented},
    "parts in full": {"settings": {"adapter": Adapter(preset="projection-queries")}},
    "stopped early": {
        "settings": {"learning_rate": 0.5, "eval_every_steps": 1, "patience": 1, "epochs": 4.0}
    },
}


@pytest.mark.parametrize("case", CASES)
def test_what_goes_on_ends_with_the_bits_of_what_was_never_ended(
    tune_tiny: TuneTiny, case: str, tmp_path: Path
) -> None:
    options = {**CASES[case]}
    options["settings"] = {"adapter": DROPOUT, "save_every_steps": 2, **options.get("settings", {})}
    undisturbed = tune_tiny(folder="undisturbed", **options)
    kept = tmp_path / "kept"
    end = min(4, undisturbed.steps)

    with pytest.raises(Ended):
        tune_tiny(folder="ended", checkpoints=kept, on_step=end_at(end), **options)
    resumed = tune_tiny(folder="resumed", checkpoints=kept, **options)

    assert resumed.counts.resumed_at == (end - 1) // 2 * 2 or end < 3
    assert resumed.curve == undisturbed.curve
    assert resumed.samples == undisturbed.samples
    assert weights(resumed) == weights(undisturbed)
    assert resumed.counts.tokens == undisturbed.counts.tokens
    assert resumed.counts.stopped_early is undisturbed.counts.stopped_early


def test_one_that_stopped_early_stays_stopped(tune_tiny: TuneTiny, tmp_path: Path) -> None:
    options = {"checkpoints": tmp_path / "kept", "settings": CASES["stopped early"]["settings"]}
    first = tune_tiny(folder="first", **options)
    told: list[int] = []

    again = tune_tiny(folder="again", on_step=lambda step, metrics: told.append(step), **options)

    assert first.counts.stopped_early
    assert told == []
    assert again.curve == first.curve
    assert weights(again) == weights(first)


def test_only_steps_that_are_taken_are_told_again(tune_tiny: TuneTiny, tmp_path: Path) -> None:
    kept, told = tmp_path / "kept", []
    settings = {"save_every_steps": 2}
    with pytest.raises(Ended):
        tune_tiny(checkpoints=kept, on_step=end_at(3), settings=settings)

    result = tune_tiny(checkpoints=kept, on_step=lambda step, metrics: told.append(step), settings=settings)

    assert told == [3, 4, 5, 6]
    assert [row["step"] for row in result.curve] == list(range(7))


def test_steps_that_take_long_are_kept_by_the_clock(
    tune_tiny: TuneTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, settings = tmp_path / "kept", {"adapter": DROPOUT, "save_every_steps": 1000}
    undisturbed = tune_tiny(folder="undisturbed", settings=settings)
    half_minutes = itertools.count(0.0, 30.0)  # the clock is looked at once a step, and once a checkpoint

    with monkeypatch.context() as slow:
        slow.setattr(watching, "time", SimpleNamespace(monotonic=lambda: next(half_minutes)))
        with pytest.raises(Ended):
            tune_tiny(folder="ended", checkpoints=kept, on_step=end_at(4), settings=settings)
    resumed = tune_tiny(folder="resumed", checkpoints=kept, settings=settings)

    assert resumed.counts.resumed_at == 2
    assert weights(resumed) == weights(undisturbed)


def test_a_disk_that_fills_up_costs_the_steps_since_the_last_checkpoint(
    tune_tiny: TuneTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, settings = tmp_path / "kept", {"adapter": DROPOUT, "save_every_steps": 2}
    write = checkpoints._write_file

    def full(path: Path, content: bytes) -> None:
        if "step-00000004" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    with monkeypatch.context() as disk:
        disk.setattr(checkpoints, "_write_file", full)
        with pytest.raises(StoreError, match="make room and run again"):
            tune_tiny(folder="ended", checkpoints=kept, settings=settings)
    resumed = tune_tiny(folder="resumed", checkpoints=kept, settings=settings)

    undisturbed = tune_tiny(folder="undisturbed", settings=settings)
    assert resumed.counts.resumed_at == 2
    assert weights(resumed) == weights(undisturbed)


def test_checkpoints_of_another_recipe_are_refused(tune_tiny: TuneTiny, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    tune_tiny(checkpoints=kept)

    with pytest.raises(
        TrainingFailure, match=r"another tuning: finetune.learning_rate was 0.005 and is 0.01"
    ):
        tune_tiny(checkpoints=kept, settings={"learning_rate": 0.01})
    with pytest.raises(TrainingFailure, match="the base has different weights"):
        tune_tiny("opt", checkpoints=kept)
