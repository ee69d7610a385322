"""A tuning that goes on from the adapter of another one."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blip_core.errors import CheckpointError, TrainingFailure
from blip_core.recipes.finetune import Adapter
from blip_core.training import TrainingResult
from tests.unit.training.conftest import TuneTiny

SETTINGS: dict[str, Any] = {"eval_every_steps": 1, "save_every_steps": 2}


class Ended(BaseException):
    """What comes from outside and ends a process."""


def end_at_four(step: int, metrics: Mapping[str, float]) -> None:
    if step == 4:
        raise Ended


def weights(result: TrainingResult) -> bytes:
    return (result.adapter / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def first(tune_below: Callable[[Path], TuneTiny], tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """What all start from; nobody changes it."""
    tune = tune_below(tmp_path_factory.mktemp("first"))
    return tune(settings=SETTINGS | {"learning_rate": 0.003})  # it learns; by more it only forgets


def test_it_begins_as_good_as_the_first_ended(tune_tiny: TuneTiny, first: TrainingResult) -> None:
    second = tune_tiny(folder="second", settings=SETTINGS, start=first.adapter)
    fresh = tune_tiny(folder="fresh", settings=SETTINGS)

    assert second.curve[0]["validation_loss"] == pytest.approx(first.best_validation_loss, abs=1e-6)
    assert second.curve[0]["validation_loss"] != fresh.curve[0]["validation_loss"]
    assert weights(second) != weights(first)
    assert second.trainable == first.trainable


def test_samples_before_the_first_step_are_those_of_the_adapter(
    tune_tiny: TuneTiny, first: TrainingResult
) -> None:
    second = tune_tiny(folder="second", settings=SETTINGS, start=first.adapter)
    before = [one.answer for one in second.samples if one.step == 0]

    assert before == [one.answer for one in first.samples if one.step == first.best_step] or (
        first.best_step != first.steps
    )


def test_own_descriptions_are_written_by_the_adapter_that_is_gone_on_from(
    tune_tiny: TuneTiny, first: TrainingResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blip_core.training import finetuning

    asked: list[bool] = []
    real = finetuning.describe

    def describe(bundle: Any, *rest: Any) -> list[str]:
        asked.append(hasattr(bundle.model, "peft_config"))
        return real(bundle, *rest)

    monkeypatch.setattr(finetuning, "describe", describe)
    own = SETTINGS | {"own_description_share": 1.0}
    tune_tiny(folder="second", settings=own, start=first.adapter)
    tune_tiny(folder="fresh", settings=own)

    assert asked == [True, False]


def test_what_is_ended_goes_on_with_the_same_bits(
    tune_tiny: TuneTiny, first: TrainingResult, tmp_path: Any
) -> None:
    options: dict[str, Any] = {"settings": SETTINGS, "start": first.adapter}
    undisturbed = tune_tiny(folder="undisturbed", **options)
    with pytest.raises(Ended):
        tune_tiny(folder="ended", checkpoints=tmp_path / "kept", on_step=end_at_four, **options)
    resumed = tune_tiny(folder="resumed", checkpoints=tmp_path / "kept", **options)

    assert resumed.counts.resumed_at == 2
    assert resumed.curve == undisturbed.curve
    assert weights(resumed) == weights(undisturbed)


def test_steps_of_another_start_are_not_gone_on_from(
    tune_tiny: TuneTiny, first: TrainingResult, tmp_path: Any
) -> None:
    with pytest.raises(Ended):
        tune_tiny(
            folder="ended",
            checkpoints=tmp_path / "kept",
            on_step=end_at_four,
            settings=SETTINGS,
            start=first.adapter,
        )
    with pytest.raises(TrainingFailure, match="it goes on from another adapter"):
        tune_tiny(folder="resumed", checkpoints=tmp_path / "kept", settings=SETTINGS)


def test_an_adapter_that_does_not_fit_is_refused(tune_tiny: TuneTiny, first: TrainingResult) -> None:
    other = SETTINGS | {"adapter": Adapter(preset="projection")}
    with pytest.raises(CheckpointError, match=re.escape(str(first.adapter)) + ".* does not fit"):
        tune_tiny(folder="second", settings=other, start=first.adapter)
