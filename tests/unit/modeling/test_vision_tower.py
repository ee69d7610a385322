import weakref
from pathlib import Path

import pytest
import torch

from blip_core.errors import RecipeError, StageFailure
from blip_core.modeling import attach_adapter, dtype_manifest, load_adapter, load_blip2, save_adapter
from blip_core.modeling.features import VisionCache, decode_picture, image_features, picture_key, pixel_values
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.manifest import assert_manifest
from blip_core.modeling.vision_tower import feature_bytes, release_vision_tower, tower_parameters
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")

QFORMER = Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.0)


@pytest.fixture
def bundle(tiny_blip2: FolderOf) -> Blip2Bundle:
    return load_blip2(tiny_blip2("t5"))


def stored_bytes(bundle: Blip2Bundle) -> int:
    return sum(row.bytes for row in dtype_manifest(bundle.model))


def test_no_tensor_of_a_released_tower_is_alive(bundle: Blip2Bundle) -> None:
    tower = bundle.blip2.vision_model
    watched = [weakref.ref(tensor) for tensor in [*tower.parameters(), *tower.buffers()]]
    weights, before = tower_parameters(bundle), stored_bytes(bundle)
    del tower

    freed = release_vision_tower(bundle)

    assert watched
    assert not any(reference() is not None for reference in watched)
    assert freed == 4 * weights == before - stored_bytes(bundle)
    assert tower_parameters(bundle) == release_vision_tower(bundle) == 0


def test_a_released_tower_knows_its_type_and_says_why_it_does_not_run(
    tiny_blip2: FolderOf, make_examples: MakeExamples
) -> None:
    bundle = load_blip2(tiny_blip2("t5"), dtype="bfloat16")
    release_vision_tower(bundle)

    assert bundle.blip2.vision_model.dtype == torch.bfloat16
    with pytest.raises(StageFailure, match="left memory"):
        VisionCache(bundle, 4).add(make_examples(1))


def test_an_adapter_is_attached_saved_and_loaded_without_the_tower(
    bundle: Blip2Bundle, tiny_blip2: FolderOf, make_examples: MakeExamples, tmp_path: Path
) -> None:
    examples = make_examples(2)
    cache = VisionCache(bundle, 4)
    cache.add(examples)
    states = cache.stack([picture_key(one.image) for one in examples])

    release_vision_tower(bundle)
    tuned = attach_adapter(bundle, QFORMER, seed=0)
    with torch.no_grad():
        for name, parameter in tuned.model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.01)
        expected = image_features(tuned, states)
    save_adapter(tuned, tmp_path, Checkpoint(id="owner/base"))

    whole = load_adapter(load_blip2(tiny_blip2("t5")), tmp_path)
    pixels = pixel_values(whole, [decode_picture(one) for one in examples])
    with torch.no_grad():
        assert torch.equal(image_features(whole, pixels), expected)
    left = {row.module for row in assert_manifest(tuned.blip2, "none")}
    assert "vision_model" not in left
    assert "qformer" in left


def test_a_tower_with_an_adapter_stays(bundle: Blip2Bundle) -> None:
    on_tower = Adapter(pattern=r"vision_model\..*\.qkv", r=4)
    tuned = attach_adapter(bundle, on_tower, seed=0)

    with pytest.raises(RecipeError, match="kept features are those of the untuned tower"):
        release_vision_tower(tuned)


def test_what_kept_features_take_is_known_from_the_config(
    bundle: Blip2Bundle, make_examples: MakeExamples
) -> None:
    from transformers import Blip2Config

    states = VisionCache(bundle, 4)
    examples = make_examples(4)
    states.add(examples)
    kept = states.stack([picture_key(examples[0].image), picture_key(examples[2].image)])

    assert feature_bytes(bundle.blip2.config, 2, "float32") == kept.numel() * kept.element_size()
    assert feature_bytes(Blip2Config(), 1, "bfloat16") == 257 * 1408 * 2
