from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from blip_core.inference import predict
from blip_core.modeling import load_blip2
from blip_core.modeling.backbones import Family
from blip_core.modeling.quantisation import Quantisation
from tests.benchmarks.questions import prompt_settings, random_examples
from tests.benchmarks.random_blip2 import make_random_blip2, planned_weights, save_random_blip2
from tests.benchmarks.shapes import SHAPES

FLAN_T5_XL = 3_942_446_592
OPT_2_7B = 3_744_679_936
SHARD_BYTES = 200_000


@pytest.fixture(scope="module", params=["t5", "opt"])
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture(scope="module")
def folder(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("random-blip2")
    return save_random_blip2(SHAPES[f"tiny-{family}"], place, shard_bytes=SHARD_BYTES)


def test_it_loads_as_a_saved_checkpoint_does_and_answers(folder: Path, family: Family) -> None:
    bundle = load_blip2(folder)

    answers = predict(bundle, random_examples(2, 2, 64), prompt_settings(max_new_tokens=6), "random")

    assert bundle.family == family
    assert len({row.description for row in answers}) > 1
    assert all(0.0 < row.p_a < 1.0 for row in answers)


@pytest.mark.parametrize("quantisation", ["none", "int8", "nf4"])
def test_made_in_memory_it_is_what_the_saved_one_is_when_it_was_loaded(
    folder: Path, family: Family, quantisation: Quantisation
) -> None:
    made = make_random_blip2(SHAPES[f"tiny-{family}"], quantisation, dtype="bfloat16")

    loaded = load_blip2(folder, quantisation, dtype="bfloat16")
    weights, saved = made.model.state_dict(), loaded.model.state_dict()
    assert weights.keys() == saved.keys()
    assert all(torch.equal(weights[name], saved[name]) for name in weights)
    assert made.manifest == loaded.manifest
    assert made.tokenizer.padding_side == loaded.tokenizer.padding_side


def test_shards_stay_below_their_limit(folder: Path) -> None:
    shards = list(folder.glob("*.safetensors"))

    assert len(shards) > 2
    for shard in shards:
        with safe_open(shard, framework="pt") as content:
            assert len(content.keys()) == 1 or shard.stat().st_size < SHARD_BYTES * 1.1


def test_what_a_model_writes_reads_back_as_so_many_tokens(folder: Path) -> None:
    tokenizer = load_blip2(folder).tokenizer
    written = list(range(200, 264))

    read = tokenizer(tokenizer.decode(written), add_special_tokens=False)["input_ids"]

    assert read == written


def test_activations_keep_their_size_and_depend_on_the_picture(folder: Path) -> None:
    from blip_core.modeling.features import decode_picture, image_features, vision_states

    bundle = load_blip2(folder)
    pictures = [decode_picture(example) for example in random_examples(2, 1, 64)]
    with torch.no_grad():
        features = image_features(bundle, vision_states(bundle, pictures))

    assert 0.3 < float(features.std()) < 3.0
    assert float((features[0] - features[1]).std()) > 0.02


@pytest.mark.parametrize(("size", "weights"), [("flan-t5-xl", FLAN_T5_XL), ("opt-2.7b", OPT_2_7B)])
def test_the_full_sizes_have_the_published_number_of_weights(size: str, weights: int) -> None:
    assert sum(weight.numel for weight in planned_weights(SHAPES[size].config())) == weights


@pytest.mark.parametrize(
    ("size", "millions"), [("8M", 8), ("55M", 55), ("8M-large-tower", 8), ("55M-large-tower", 55)]
)
def test_the_small_sizes_have_the_size_they_are_named_after(size: str, millions: int) -> None:
    weights = sum(weight.numel for weight in planned_weights(SHAPES[size].config()))

    assert weights / 1e6 == pytest.approx(millions, rel=0.1)
