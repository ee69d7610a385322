"""A plan answers for every model that a stage loads: weights to the byte, the rest traced or bounded."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from safetensors import safe_open
from transformers import AutoConfig

from blip_core.backends.sampling import Sampling
from blip_core.errors import CheckpointError
from blip_core.planning import make_plan
from blip_core.planning.architectures import architecture_of
from blip_core.planning.cards import CARDS
from blip_core.planning.coarse import bound, picture_tokens_bound
from blip_core.planning.counting import count_rows
from blip_core.planning.generating import Texts, label, picture_tokens, write
from blip_core.planning.stages import StageSizes
from blip_core.planning.tables import show
from blip_core.planning.timing import time_stage
from blip_core.pocket import models_dir
from blip_core.prefetching import used_checkpoints
from blip_core.prefetching.damage import model_files
from blip_core.recipes import load_recipe

SEEING = ("llava15", "llava_next", "qwen2_5_vl", "qwen3_vl", "smolvlm", "gemma3", "internvl")
WRITING = ("qwen2", "qwen3", "llama", "gemma2", "phi3", "gemma3", "qwen3_vl")
TEXTS = Texts(rows=3, prompt_tokens=50, new_tokens=20)
SAMPLING = Sampling(0.7, 0.9, TEXTS.new_tokens)


def stored_bytes(folder, itemsize=4):
    """Bytes of the weights in a folder, were they of this size each."""
    count = 0
    for name in model_files(folder):
        if name.endswith(".safetensors"):
            with safe_open(folder / name, "np") as file:
                for key in file.keys():  # noqa: SIM118 - no mapping
                    shape = file.get_slice(key).get_shape()
                    size = 1
                    for side in shape:
                        size *= side
                    count += size
    return count * itemsize


def planned(field, folder):
    """The stage of one model alone, on a card."""
    recipe = load_recipe("gallery-vqa", "pocket", [f'{field}={{id="{folder}"}}'])
    checkpoint = dict(used_checkpoints(recipe))[field]
    kind = "language" if field == "scenes.model" else "image-text"
    known = {field: architecture_of(checkpoint, kind, field, folder, models_dir())}
    (stage,) = StageSizes(known, count_rows(recipe, bundled=8), "cuda").of(field.partition(".")[0], recipe)
    return stage


@pytest.mark.parametrize("name", SEEING)
def test_every_labeller_is_planned_with_its_very_weights(layout, name):
    stage = planned("labels.model", layout(name))
    assert stage.footprint.is_coarse is (name != "llava15")
    assert stored_bytes(layout(name)) <= stage.footprint.weights < 1.2 * stored_bytes(layout(name))
    assert stage.footprint.working > 0


@pytest.mark.parametrize("name", WRITING)
def test_every_writer_is_planned_with_its_very_weights(layout, name):
    stage = planned("scenes.model", layout(name))
    assert stored_bytes(layout(name)) <= stage.footprint.weights < 1.2 * stored_bytes(layout(name))
    assert stage.footprint.working > 0


@pytest.mark.parametrize("name", ["qwen2", "llama", "qwen3"])
def test_what_is_bounded_is_no_less_than_what_is_traced(layout, name):
    config = AutoConfig.from_pretrained(layout(name))
    traced = write(config, "float32", TEXTS, SAMPLING, "cuda")
    bounded = bound(config, "float32", TEXTS)
    assert bounded.weights == traced.weights
    assert traced.working <= bounded.working


@pytest.mark.parametrize("rows", [1, 4, 16])
def test_a_labeller_that_can_be_traced_takes_no_more_than_its_bound(layout, rows):
    config = AutoConfig.from_pretrained(layout("llava15"))
    side = config.vision_config.image_size
    texts = Texts(rows, 30 + picture_tokens(config), 20)
    traced = label(config, "float32", texts, SAMPLING, "cuda")
    bounded = bound(config, "float32", texts, side)
    assert picture_tokens_bound(config, side) >= picture_tokens(config)
    assert (bounded.weights, traced.working <= bounded.working) == (traced.weights, True)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "smolvlm", "gemma3"])
def test_no_time_is_told_of_what_nobody_traced(layout, name):
    stage = planned("labels.model", layout(name))
    timing = time_stage(stage, load_recipe("gallery-vqa", "pocket", ["device.kind=cuda"]), [], CARDS["A10"])
    assert (timing.origin, timing.to_dict()["seconds"]) == ("not known", None)


def test_a_plan_says_which_stage_is_coarse(layout):
    recipe = load_recipe("gallery-vqa", "pocket", [f'labels.model={{id="{layout("gemma3")}"}}'])
    plan = make_plan(recipe, Path("/nowhere"), models_dir(), bundled=8)
    told = {one["stage"]: one["is_coarse"] for one in plan.to_dict()["stages"]}
    assert told["labels"] is True
    assert not any(coarse for stage, coarse in told.items() if stage != "labels")
    console = Console(file=StringIO(), width=100)
    show(console, plan)
    assert "Coarse: labels. Its weights are exact" in console.file.getvalue()


def test_a_config_that_no_model_can_be_built_from_is_refused_in_a_sentence(layout, tmp_path):
    content = json.loads((layout("qwen2") / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | {"model_type": "clip"}))
    with pytest.raises(CheckpointError):
        planned("scenes.model", tmp_path)
