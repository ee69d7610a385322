from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import torch
from torch import nn

from blip_core.errors import EmptyDataset, RecipeError, TrainingFailure
from blip_core.inference import predict
from blip_core.modeling import load_adapter, load_blip2
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import Quantisation
from blip_core.modeling.vision_tower import tower_parameters
from blip_core.recipes.finetune import Adapter, Finetune
from blip_core.recipes.inference import Inference
from blip_core.training import TrainingResult, finetune
from blip_core.training.finetuning import ignore_step
from blip_core.training.sampling import Sample
from blip_core.training.trainer import PlannedTrainer
from blip_core.training.watching import OnStep
from tests.tiny_blip2 import FolderOf, MakeExamples
from tests.unit.training.conftest import TuneTiny


class Tune(Protocol):
    def __call__(
        self,
        settings: Finetune,
        family: str = "t5",
        seed: int = 0,
        folder: str = "a",
        on_step: OnStep = ignore_step,
    ) -> tuple[Blip2Bundle, TrainingResult]: ...


@pytest.fixture
def tune(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference, tmp_path: Path
) -> Tune:
    """Tune a tiny model on 12 rows, 4 held out."""

    def run(
        settings: Finetune,
        family: str = "t5",
        seed: int = 0,
        folder: str = "a",
        on_step: OnStep = ignore_step,
    ) -> tuple[Blip2Bundle, TrainingResult]:
        bundle = load_blip2(tiny_blip2(family), settings.quantisation)
        rows = make_examples(16)
        out = tmp_path / folder
        result = finetune(bundle, rows[:12], rows[12:], settings, inference_settings, seed, out, on_step)
        return bundle, result

    return run


def test_every_step_is_taken_in_training_mode_though_the_model_is_looked_at_in_between(
    tune: Tune, finetune_settings: Finetune, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulate, modes = PlannedTrainer._accumulate, []

    def noted(trainer: PlannedTrainer, model: nn.Module) -> bool:
        modes.append({module.training for module in model.modules()})
        return accumulate(trainer, model)

    monkeypatch.setattr(PlannedTrainer, "_accumulate", noted)
    looked = {"epochs": 2.0, "eval_every_steps": 1, "sample_rows": 2}
    _, result = tune(finetune_settings.model_copy(update=looked))

    assert result.samples
    assert modes == [{True}] * result.steps


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_only_the_adapter_moves(
    tune: Tune, tiny_blip2: FolderOf, finetune_settings: Finetune, family: str, quantisation: Quantisation
) -> None:
    settings = finetune_settings.model_copy(update={"quantisation": quantisation})
    before = load_blip2(tiny_blip2(family), quantisation).blip2.state_dict()

    bundle, result = tune(settings, family)

    after = {
        name.replace(".base_layer", ""): value
        for name, value in bundle.blip2.state_dict().items()
        if "lora_" not in name
    }
    assert all(
        torch.equal(after[name], value)
        for name, value in before.items()
        if not name.startswith("vision_model")  # has left memory
    )
    moved = [p for name, p in bundle.blip2.named_parameters() if "lora_B" in name and p.abs().sum() > 0]
    assert moved
    assert result.trainable == 16 * 4 * 2 * 32 + 4 * 4 * 32


def test_int8_trains_too(tune: Tune, finetune_settings: Finetune) -> None:
    _, result = tune(finetune_settings.model_copy(update={"quantisation": "int8"}))

    assert result.steps == 6


def test_the_curve_has_every_step_and_is_told_as_it_grows(tune: Tune, finetune_settings: Finetune) -> None:
    told: list[int] = []

    _, result = tune(finetune_settings, on_step=lambda step, metrics: told.append(step))

    assert told == [row["step"] for row in result.curve] == list(range(7))
    assert all({"loss", "learning_rate", "grad_norm"} <= row.keys() for row in result.curve[1:])
    assert [row["step"] for row in result.curve if "validation_loss" in row] == [0, 3, 6]
    assert result.curve[-1]["learning_rate"] < max(row["learning_rate"] for row in result.curve[1:])


def test_the_step_that_validates_best_is_the_one_that_is_saved(
    tune: Tune, finetune_settings: Finetune
) -> None:
    settings = finetune_settings.model_copy(update={"learning_rate": 0.3, "eval_every_steps": 1})

    _, result = tune(settings)

    losses = {row["step"]: row["validation_loss"] for row in result.curve if row["step"] > 0}
    assert result.best_step == min(losses, key=lambda step: losses[step])
    assert result.best_validation_loss == losses[result.best_step]


def test_the_last_step_is_saved_where_it_is_asked_for_and_a_constant_rate_stays(
    tune: Tune, finetune_settings: Finetune
) -> None:
    asked = {"learning_rate": 0.3, "eval_every_steps": 1, "keep": "last", "schedule": "constant"}

    _, result = tune(finetune_settings.model_copy(update={**asked, "warmup_share": 0.0}))

    assert result.best_step == result.steps
    assert result.best_validation_loss == result.curve[-1]["validation_loss"]
    assert {row["learning_rate"] for row in result.curve[1:]} == {0.3}


def test_the_saved_adapter_answers_as_the_tuned_model_does(
    tune: Tune,
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
) -> None:
    bundle, result = tune(finetune_settings.model_copy(update={"learning_rate": 0.05}))
    examples = make_examples(4)
    bundle.blip2.vision_model = load_blip2(tiny_blip2("t5")).blip2.vision_model  # it left memory

    tuned = predict(bundle, examples, inference_settings, "finetuned")
    loaded = predict(
        load_adapter(load_blip2(tiny_blip2("t5")), result.adapter), examples, inference_settings, "finetuned"
    )
    base = predict(load_blip2(tiny_blip2("t5")), examples, inference_settings, "finetuned")

    assert loaded == tuned
    assert [one.p_a for one in base] != [one.p_a for one in tuned]


def test_the_same_seed_gives_the_same_bits(tune: Tune, finetune_settings: Finetune) -> None:
    settings = finetune_settings.model_copy(
        update={"adapter": Adapter(preset="qformer", r=4, dropout=0.1), "own_description_share": 0.5}
    )

    _, first = tune(settings, folder="first")
    _, again = tune(settings, folder="again")
    _, other = tune(settings, seed=1, folder="other")

    assert first.curve == again.curve
    assert _weights(first) == _weights(again)
    assert _weights(first) != _weights(other)


def test_nothing_pickled_is_left_behind(tune: Tune, finetune_settings: Finetune) -> None:
    _, result = tune(finetune_settings)

    names = {path.name for path in result.adapter.rglob("*") if path.is_file()}
    assert names == {"README.md", "adapter_config.json", "adapter_model.safetensors", "foundry.json"}


def test_without_validation_rows_the_last_step_is_kept(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))

    result = finetune(bundle, make_examples(8), [], finetune_settings, inference_settings, 0, tmp_path)

    assert result.best_step == result.steps == 4
    assert result.best_validation_loss is None


def test_weights_that_do_not_move_are_noticed(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    with torch.no_grad():
        bundle.blip2.language_projection.weight.zero_()  # nothing of the Q-Former gets through

    with pytest.raises(TrainingFailure, match="no weight of the adapter moved in 3 steps"):
        finetune(bundle, make_examples(12), [], finetune_settings, inference_settings, 0, tmp_path)


def test_a_loss_that_is_no_number_is_noticed(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    with torch.no_grad():
        bundle.blip2.language_projection.weight.fill_(float("nan"))

    with pytest.raises(
        TrainingFailure, match=r"diverged at step 4: .* in 4 steps \(1, 2, 3, 4\).*park-00000-p0-q0"
    ):
        finetune(bundle, make_examples(8), [], finetune_settings, inference_settings, 0, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_to_learn_is_said_before_anything_is_done(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))

    with pytest.raises(EmptyDataset, match="no rows"):
        finetune(bundle, [], make_examples(2), finetune_settings, inference_settings, 0, tmp_path)
    poems = [replace(example, task="poem") for example in make_examples(2)]
    with pytest.raises(RecipeError, match="there is no task 'poem'"):
        finetune(bundle, poems, [], finetune_settings, inference_settings, 0, tmp_path)


def _weights(result: TrainingResult) -> bytes:
    return (result.adapter / "adapter_model.safetensors").read_bytes()


def test_what_was_done_is_counted(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    rows = make_examples(120)
    damaged = [replace(row, image=b"no picture") if row.group == "park-00003" else row for row in rows]
    settings = finetune_settings.model_copy(update={"epochs": 1.0, "max_text_tokens": 60})

    result = finetune(
        bundle, damaged[:100], damaged[100:], settings, inference_settings, 0, tmp_path / "adapter"
    )

    counts = result.counts
    assert (counts.rows, counts.quarantined) == (98, 2)
    assert counts.vision_forwards == len({row.image for row in rows}) - 1
    assert 0 < counts.cut_texts < 98
    assert 0 < counts.padded_share < 0.1
    assert counts.tokens > 98 * 60
    assert (counts.skipped_steps, counts.resumed_at, counts.stopped_early) == (0, None, False)
    assert counts.micro_batch_size == settings.batch_size
    assert [rejection.reason for rejection in result.rejections] == ["unreadable-picture"]


def test_samples_are_told_before_the_first_step_and_after_every_epoch(tune_tiny: TuneTiny) -> None:
    told: list[Sample] = []

    result = tune_tiny(on_samples=told.extend)

    assert told == result.samples
    assert [sample.step for sample in told] == [0] * 4 + [3] * 4 + [6] * 4


def test_the_vision_tower_leaves_memory_unless_features_are_fresh(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    finetune_settings: Finetune,
    inference_settings: Inference,
    tmp_path: Path,
) -> None:
    left = []
    for features in ("cached", "fresh"):
        bundle = load_blip2(tiny_blip2("t5"))
        settings = finetune_settings.model_copy(update={"features": features, "epochs": 1.0})
        states = FreshVisionStates(bundle) if features == "fresh" else None
        finetune(
            bundle, make_examples(8), [], settings, inference_settings, 0, tmp_path / features, states=states
        )
        left.append(tower_parameters(bundle))

    assert left[0] == 0
    assert left[1] > 0
