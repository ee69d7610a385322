"""What a step is: its passes, its rows, what happens where memory runs out or a loss is no number."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from blip_core.errors import NotANumber, TrainingFailure
from blip_core.modeling.features import VisionCache, picture_key
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Adapter
from blip_core.training import TrainingResult, trainer
from blip_core.training.checkpoints import Checkpoints, Snapshot
from blip_core.training.learner import Learner
from tests.tiny_blip2 import MakeExamples
from tests.unit.training.conftest import TuneTiny

EPOCHS = 2


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Ids of the rows of every training pass, in order."""
    passes: list[list[str]] = []
    collate = trainer.collate

    def noting(bundle: Any, states: Any, rows: Any, turn: int) -> Any:
        passes.append([row.example for row in rows])
        return collate(bundle, states, rows, turn)

    monkeypatch.setattr(trainer, "collate", noting)
    return passes


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, failing: set[int]) -> None:
    """Let the training passes of these numbers, from 1 on, run out of memory after their forward."""
    forward, number = Learner.forward, 0

    def limited(self: Learner, **batch: Tensor) -> dict[str, Tensor]:
        nonlocal number
        number += 1
        outputs = forward(self, **batch)
        if number in failing:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs

    monkeypatch.setattr(Learner, "forward", limited)


@pytest.fixture
def without_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base has dropout of its own, which draws others numbers for other passes."""
    monkeypatch.setattr(Learner, "train", lambda self, mode=True: self)


def losses(result: TrainingResult) -> list[float]:
    return [value for row in result.curve for name, value in row.items() if name != "learning_rate"]


@pytest.mark.usefixtures("without_dropout")
@pytest.mark.parametrize("family", ["t5", "opt"])
def test_a_step_in_several_passes_has_the_gradient_of_one(
    tune_tiny: TuneTiny, family: str, seen: list[list[str]]
) -> None:
    whole = tune_tiny(family)
    seen.clear()

    parted = tune_tiny(family, settings={"micro_batch_size": 3})

    assert {len(rows) for rows in seen} == {3, 1}
    assert losses(parted) == pytest.approx(losses(whole), rel=2e-3)
    assert parted.counts.micro_batch_size == 3
    assert parted.counts.padded_share < whole.counts.padded_share


@pytest.mark.usefixtures("without_dropout")
def test_out_of_memory_halves_the_passes_and_loses_or_repeats_no_row(
    tune_tiny: TuneTiny, seen: list[list[str]], monkeypatch: pytest.MonkeyPatch, make_examples: MakeExamples
) -> None:
    undisturbed = tune_tiny(settings={"micro_batch_size": 2})
    seen.clear()

    run_out_of_memory(monkeypatch, failing={1, 7})  # the whole first step, then the second half of the third
    halved = tune_tiny()

    done = seen[1:5] + seen[7:]  # less the first pass, and both that the third step began with
    assert [len(rows) for rows in seen] == [4, 2, 2, 2, 2, 2, 2, *[1] * 16]
    assert Counter(example for rows in done for example in rows) == {
        example.id: EPOCHS for example in make_examples(16)[:12]
    }
    assert losses(halved) == pytest.approx(losses(undisturbed), rel=2e-3)
    assert halved.counts.micro_batch_size == 1


def test_one_row_that_does_not_fit_is_said_with_what_to_lower(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_out_of_memory(monkeypatch, failing=set(range(100)))

    with pytest.raises(TrainingFailure, match=r"one row at step 1.*gradient_checkpointing.*max_text_tokens"):
        tune_tiny()
    assert not list((tmp_path / "adapter").iterdir())


@pytest.mark.parametrize(("family", "quantisation"), [("t5", "nf4"), ("opt", "none")])
def test_activations_computed_twice_give_the_same_losses(
    tune_tiny: TuneTiny, family: str, quantisation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"quantisation": quantisation, "adapter": Adapter(preset="qformer", r=4, alpha=8.0)}
    kept = tune_tiny(family, settings=settings)
    calls = Counter()
    checkpoint = torch.utils.checkpoint.checkpoint

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls["layers"] += 1
        return checkpoint(*args, **kwargs)

    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", counted)
    monkeypatch.setattr("transformers.modeling_utils.checkpoint", counted)
    twice = tune_tiny(family, settings={**settings, "gradient_checkpointing": True})

    assert calls["layers"] > 0
    assert twice.curve == kept.curve


@pytest.mark.parametrize(("family", "quantisation"), [("t5", "nf4"), ("opt", "int8"), ("t5", "none")])
def test_a_base_in_bfloat16_is_tuned_with_a_float32_q_former(
    tune_tiny: TuneTiny, family: str, quantisation: str
) -> None:
    result = tune_tiny(family, dtype="bfloat16", settings={"quantisation": quantisation})

    exact = tune_tiny(family, settings={"quantisation": quantisation})
    assert len(result.curve) == 7
    first = [run.curve[0]["validation_loss"] for run in (result, exact)]
    assert first[0] == pytest.approx(first[1], rel=0.1)


def test_gradients_survive_validation_and_samples_of_a_quantised_model(tune_tiny: TuneTiny) -> None:
    result = tune_tiny(settings={"quantisation": "nf4", "eval_every_steps": 1, "epochs": 4.0})

    assert {sample.step for sample in result.samples} == {0, 3, 6, 9, 12}
    assert all(row["grad_norm"] > 0 for row in result.curve[1:])


class HoledStates(VisionCache):
    """Vision states that are no numbers for some pictures while training, or while validating."""

    holes: Sequence[str] = ()
    while_training: bool = True

    def stack(self, keys: Sequence[str], turn: int = 0) -> Tensor:
        states = super().stack(keys, turn)
        for place, key in enumerate(keys):
            if bool(turn) == self.while_training and key in self.holes:
                states[place] = float("nan")
        return states


@pytest.fixture
def holed(make_examples: MakeExamples) -> Iterator[Any]:
    """States with a hole for the picture of the first two examples."""
    key = picture_key(make_examples(1)[0].image)

    def states_of(bundle: Blip2Bundle) -> HoledStates:
        states = HoledStates(bundle, batch_size=4)
        states.holes = [key]
        return states

    return states_of


def snapshots(monkeypatch: pytest.MonkeyPatch) -> list[Snapshot]:
    """Every checkpoint that is saved from now on."""
    saved: list[Snapshot] = []
    save = Checkpoints.save

    def noting(self: Checkpoints, snapshot: Snapshot) -> Path:
        saved.append(snapshot)
        return save(self, snapshot)

    monkeypatch.setattr(Checkpoints, "save", noting)
    return saved


def test_a_loss_that_is_no_number_skips_the_update_and_is_counted(
    tune_tiny: TuneTiny, holed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saved = snapshots(monkeypatch)

    result = tune_tiny(
        states_of=holed, settings={"save_every_steps": 1, "bad_steps": 4}, checkpoints=tmp_path / "kept"
    )

    bad = [int(row["step"]) for row in result.curve[1:] if "loss" not in row]
    assert bad
    assert result.counts.skipped_steps == len(bad)
    assert saved[-1].record["progress"]["bad_steps"].keys() == set(bad)
    assert {one for ids in saved[-1].record["progress"]["bad_steps"].values() for one in ids} == {
        "park-00000-p0-q0",
        "park-00000-p0-q1",
    }
    by_step = {one.step: one for one in saved}
    for step in set(bad) - {1}:
        for part in ("adapter", "optimiser"):
            before, after = getattr(by_step[step - 1], part), getattr(by_step[step], part)
            assert all(torch.equal(before[name], after[name]) for name in before | after)
    good = next(step for step in range(2, 7) if step not in bad)
    assert any(
        not torch.equal(by_step[good].adapter[name], by_step[good - 1].adapter[name])
        for name in by_step[good].adapter
    )


def test_too_many_of_them_stop_at_the_last_good_checkpoint(
    tune_tiny: TuneTiny, holed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saved, bundles = snapshots(monkeypatch), []

    def states_of(bundle: Blip2Bundle) -> HoledStates:
        bundles.append(bundle)
        return holed(bundle)

    with pytest.raises(TrainingFailure) as stopped:
        tune_tiny(
            states_of=states_of,
            settings={"save_every_steps": 1, "bad_steps": 0},
            checkpoints=tmp_path / "kept",
        )

    text = str(stopped.value)
    assert "park-00000-p0-q" in text
    assert "park-00001" not in text
    assert not list((tmp_path / "adapter").iterdir())
    now = {
        f"base_model.model.{name}": weight
        for name, weight in bundles[0].model.named_parameters()
        if "lora_" in name
    }
    if saved:
        assert f"back at {tmp_path / 'kept' / f'step-{saved[-1].step:08}'}" in text
        assert all(torch.equal(now[name], weight) for name, weight in saved[-1].adapter.items())
    else:
        assert "as it was before training" in text


def test_patience_ends_a_tuning_that_gets_no_better(tune_tiny: TuneTiny) -> None:
    settings = {"learning_rate": 0.5, "epochs": 6.0, "eval_every_steps": 1, "patience": 2}

    result = tune_tiny(settings=settings)

    looks = [row["validation_loss"] for row in result.curve[1:] if "validation_loss" in row]
    assert result.counts.stopped_early
    assert result.steps < 18
    assert result.best_step == result.steps - 2
    assert result.best_validation_loss == min(looks)


def last_steps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_loss_that_is_none_ends_a_tuning_that_allows_none_and_what_was_saved_goes_on(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: float
) -> None:
    settings = {"save_every_steps": 1, "bad_steps": 0, "eval_every_steps": 100}
    whole = tune_tiny(settings=settings, folder="whole")
    forward, number = Learner.forward, 0

    def spoilt(self: Learner, **batch: Tensor) -> dict[str, Tensor]:
        nonlocal number
        number += 1
        outputs = forward(self, **batch)
        if number == 3:
            outputs["row_losses"] = outputs["row_losses"] + torch.tensor([0.0, value, 0.0, 0.0])
        return outputs

    kept = tmp_path / "kept"
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "forward", spoilt)
        with pytest.raises(TrainingFailure, match=r"diverged at step 3: .*Rows: park-\d+-p0-q\d\."):
            tune_tiny(settings=settings, checkpoints=kept)

    assert last_steps(kept)[-1] == "step-00000002"
    assert not list((tmp_path / "adapter").iterdir())
    resumed = tune_tiny(settings=settings, checkpoints=kept, folder="resumed")
    assert resumed.counts.resumed_at == 2
    assert resumed.curve == whole.curve


def test_a_gradient_that_is_none_ends_it_though_the_losses_are_numbers(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    step = trainer.PlannedTrainer.training_step

    def spoilt(self: Any, model: Any, inputs: Any, items: Any = None) -> Tensor:
        loss = step(self, model, inputs, items)
        if self.state.global_step == 1:
            next(p for p in model.parameters() if p.grad is not None).grad.view(-1)[0] = float("inf")
        return loss

    monkeypatch.setattr(trainer.PlannedTrainer, "training_step", spoilt)
    with pytest.raises(TrainingFailure, match="diverged at step 2: loss or gradient was NaN or infinite"):
        tune_tiny(settings={"bad_steps": 0})
    assert not list((tmp_path / "adapter").iterdir())


def test_a_validation_loss_that_is_none_ends_it_and_names_the_row(
    tune_tiny: TuneTiny, make_examples: MakeExamples, tmp_path: Path
) -> None:
    rows = make_examples(16)

    def states_of(bundle: Blip2Bundle) -> HoledStates:
        states = HoledStates(bundle, batch_size=4)
        states.holes, states.while_training = [picture_key(rows[14].image)], False
        return states

    with pytest.raises(TrainingFailure) as stopped:
        tune_tiny(states_of=states_of, settings={"sample_rows": 0})

    said = str(stopped.value)
    assert said.startswith("after step 0: the validation loss is NaN or infinite for row park-")
    assert sorted(re.findall(r"park-\d+-p0-q\d", said)) == [rows[14].id, rows[15].id]
    assert not list((tmp_path / "adapter").iterdir())


def test_a_validation_loss_that_is_none_later_keeps_the_checkpoints_before(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tally = Learner._tally

    def spoilt(self: Learner, batch: dict[str, Tensor]) -> list[float]:
        taken = tally(self, batch)
        weights = [p for name, p in self.named_parameters() if "lora_B" in name]
        return [float("nan"), *taken[1:]] if any(bool(p.any()) for p in weights) else taken

    monkeypatch.setattr(Learner, "_tally", spoilt)
    settings = {"save_every_steps": 1, "eval_every_steps": 3}
    with pytest.raises(TrainingFailure, match=r"after step 3: .*checkpoints of steps before are kept"):
        tune_tiny(settings=settings, checkpoints=tmp_path / "kept")
    assert last_steps(tmp_path / "kept") == ["step-00000001", "step-00000002"]


def test_what_cannot_be_shown_of_a_row_ends_it_with_the_step(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise NotANumber("the language model gave NaN or infinity for row x: load it in float32")

    monkeypatch.setattr("blip_core.training.sampling.predict", broken)
    with pytest.raises(TrainingFailure, match=r"after step 0: the language model gave NaN .* for row x"):
        tune_tiny()


def test_an_update_that_no_loss_has_seen_is_not_saved_as_an_adapter(
    tune_tiny: TuneTiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("blip_core.training.tuning.restore_adapter", lambda *_: None)
    train = trainer.PlannedTrainer.run

    def spoilt(self: Any, resume_from: Any) -> None:
        train(self, resume_from)
        with torch.no_grad():
            self._learnt[-1].view(-1)[0] = float("inf")

    monkeypatch.setattr(trainer.PlannedTrainer, "run", spoilt)
    with pytest.raises(
        TrainingFailure, match=r"lora_\w+\S* holds NaN or infinity after step 6; no adapter is saved"
    ):
        tune_tiny()
    assert not list((tmp_path / "adapter").iterdir())
