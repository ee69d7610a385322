import contextlib
from dataclasses import replace

import pytest
import torch

from blip_core.inference import predict
from blip_core.modeling import load_blip2
from blip_core.modeling.adapters import attach_adapter
from blip_core.modeling.features import VisionCache
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.quantisation import Quantisation
from blip_core.recipes.finetune import Finetune
from blip_core.recipes.inference import Inference
from blip_core.records import Example
from blip_core.training.learner import Learner, collate
from blip_core.training.rows import RowSource
from blip_core.training.sampling import Sampler, handful, undisturbed
from tests.tiny_blip2 import FolderOf, MakeExamples


@pytest.fixture
def rows(make_examples: MakeExamples) -> list[Example]:
    return make_examples(4)


def cached(bundle: Blip2Bundle, rows: list[Example]) -> VisionCache:
    cache = VisionCache(bundle, 4)
    cache.add(rows)
    return cache


def gradients(learner: Learner, bundle: Blip2Bundle, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Of one training step, dropout included, that starts from no gradients."""
    learner.zero_grad(set_to_none=True)
    learner(**batch)["loss"].backward()
    trained = [weight for weight in bundle.model.parameters() if weight.requires_grad]
    assert all(weight.grad is not None for weight in trained)
    return [weight.grad.clone() for weight in trained if weight.grad is not None]


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_training_goes_on_after_samples_as_if_nothing_had_been(
    tiny_blip2: FolderOf,
    rows: list[Example],
    finetune_settings: Finetune,
    inference_settings: Inference,
    family: str,
    quantisation: Quantisation,
) -> None:
    adapter = finetune_settings.adapter.model_copy(update={"dropout": 0.2})
    bundle = attach_adapter(load_blip2(tiny_blip2(family), quantisation), adapter, 0)
    states = cached(bundle, rows)
    source = RowSource(bundle, rows, inference_settings, 0.25, {}, 256, 0)
    batch, learner = collate(bundle, states, source.epoch(0)), Learner(bundle).train()
    sampler = Sampler(bundle, rows, states, inference_settings)

    torch.manual_seed(3)
    first, undisturbed_second = gradients(learner, bundle, batch), gradients(learner, bundle, batch)
    torch.manual_seed(3)
    again = gradients(learner, bundle, batch)
    modes = [module.training for module in learner.modules()]
    sampled = sampler.sample(1)
    second = gradients(learner, bundle, batch)

    assert [one.id for one in sampled] == [row.id for row in rows]
    assert [module.training for module in learner.modules()] == modes
    assert all(map(torch.equal, first, again))
    assert all(map(torch.equal, undisturbed_second, second))
    assert any(gradient.abs().sum() > 0 for gradient in second)


def test_a_sample_is_what_inference_would_say(
    tiny_blip2: FolderOf, rows: list[Example], inference_settings: Inference
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    predicted = predict(bundle, rows, inference_settings, "base")
    sampled = Sampler(bundle, rows, cached(bundle, rows), inference_settings).sample(7)

    assert [(one.description, one.answer, one.written, one.truth) for one in sampled] == [
        (one.description, one.ranked, one.generated, one.truth) for one in predicted
    ]
    assert {one.step for one in sampled} == {7}
    assert [one.question for one in sampled] == [row.question for row in rows]


def test_nothing_is_sampled_of_no_rows(tiny_blip2: FolderOf, inference_settings: Inference) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    assert Sampler(bundle, [], cached(bundle, []), inference_settings).sample(1) == []


def test_an_error_in_between_leaves_the_model_training(tiny_blip2: FolderOf) -> None:
    model = load_blip2(tiny_blip2("t5")).model.train()
    state = torch.get_rng_state()
    with contextlib.suppress(ValueError), undisturbed(model, torch.device("cpu")):
        torch.rand(1)
        raise ValueError
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_handful_is_spread_over_kinds_and_pictures(make_examples: MakeExamples) -> None:
    rows = [
        replace(row, kind=("colour", "count", "place")[at % 3]) for at, row in enumerate(make_examples(24))
    ]
    chosen = handful(rows, 6)
    assert {row.kind for row in chosen} == {"colour", "count", "place"}
    assert len({row.picture_id for row in chosen}) == 6
    assert handful(rows[::-1], 6) == chosen
    assert handful(rows, 0) == []
    assert sorted(row.id for row in handful(rows, 100)) == sorted(row.id for row in rows)
