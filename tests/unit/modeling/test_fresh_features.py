from dataclasses import replace

import pytest
import torch

from blip_core.modeling import attach_adapter, load_blip2
from blip_core.modeling.features import VisionCache, image_features, picture_key
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.finetune import Adapter
from blip_core.records import Example
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def bundle(tiny_blip2: FolderOf) -> Blip2Bundle:
    return load_blip2(tiny_blip2("t5"))


@pytest.fixture
def examples(make_examples: MakeExamples) -> list[Example]:
    return make_examples(4)[::2]  # two pictures


def keys(examples: list[Example]) -> list[str]:
    return [picture_key(example.image) for example in examples]


def fresh(bundle: Blip2Bundle, examples: list[Example], seed: int = 0) -> FreshVisionStates:
    states = FreshVisionStates(bundle, "colour", seed)
    assert states.add(examples) == []
    return states


def test_fresh_states_are_the_kept_ones(bundle: Blip2Bundle, examples: list[Example]) -> None:
    cache = VisionCache(bundle, 4)
    cache.add(examples)
    plain = FreshVisionStates(bundle)
    plain.add(examples)

    kept = cache.stack(keys(examples))
    assert torch.equal(plain.stack(keys(examples), turn=3), kept)
    assert torch.equal(fresh(bundle, examples).stack(keys(examples)), kept)


def test_the_tower_runs_for_every_batch(bundle: Blip2Bundle, examples: list[Example]) -> None:
    states = fresh(bundle, examples)

    states.stack(keys(examples), turn=1)
    states.stack(keys(examples), turn=2)

    assert states.forwards == 4


def test_a_turn_always_changes_a_picture_in_the_same_way(
    bundle: Blip2Bundle, examples: list[Example]
) -> None:
    undisturbed, resumed = fresh(bundle, examples), fresh(bundle, examples)
    undisturbed.stack(keys(examples), turn=1)
    second = undisturbed.stack(keys(examples), turn=2)

    assert torch.equal(resumed.stack(keys(examples), turn=2), second)
    assert torch.equal(resumed.stack(keys(examples)[::-1], turn=2), second.flip(0))


def test_seed_turn_and_picture_decide_the_light(bundle: Blip2Bundle, examples: list[Example]) -> None:
    twin = [examples[0], replace(examples[0], id="twin", image=examples[0].image + b"\0")]  # equal pixels
    states = fresh(bundle, twin)
    first = states.stack(keys(twin), turn=1)

    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, states.stack(keys(twin), turn=2))
    assert not torch.equal(first, fresh(bundle, twin, seed=1).stack(keys(twin), turn=1))


def test_unreadable_pictures_are_rejected(bundle: Blip2Bundle, examples: list[Example]) -> None:
    states = FreshVisionStates(bundle)
    broken = replace(examples[0], image=examples[0].image[:40])

    assert [one.id for one in states.add([broken, examples[1]])] == [broken.id]
    with pytest.raises(KeyError):
        states.stack(keys([broken]))


def test_gradients_reach_an_adapter_on_the_tower(tiny_blip2: FolderOf, examples: list[Example]) -> None:
    loaded = load_blip2(tiny_blip2("t5"))
    states = fresh(loaded, examples)
    untuned = states.stack(keys(examples))
    tuned = attach_adapter(loaded, Adapter(pattern=r"vision_model\..*\.qkv", r=4, dropout=0.0), seed=0)

    batch = states.stack(keys(examples))
    features = image_features(tuned, batch)
    features.sum().backward()

    # B is zero at first and A's gradient with it; that of B is not.
    grads = {name: p.grad for name, p in tuned.model.named_parameters() if "lora_B" in name}
    assert grads
    assert all(grad is not None and bool(grad.abs().sum() > 0) for grad in grads.values())
    with torch.no_grad():
        assert torch.equal(features, image_features(tuned, untuned))
