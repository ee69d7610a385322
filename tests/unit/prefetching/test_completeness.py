"""A folder that lacks a file which a loader reads is refused, and the file is named, before any work."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from blip_core import wiring
from blip_core.errors import CheckpointError
from blip_core.pocket import models_dir
from blip_core.prefetching import Need, check_complete, check_needed
from blip_core.recipes import load_recipe
from blip_core.recipes.checkpoint import POCKET_MODELS

WEIGHTS = save({"x": np.zeros(4, dtype=np.float32)})
REMEDY = "ask for it"


def index(*shards: str) -> bytes:
    return json.dumps({"weight_map": {f"w{place}": shard for place, shard in enumerate(shards)}}).encode()


SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
PICKLED = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")
WRITER = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}
SEEING = {
    "config.json": b'{"vision_config": {}}',
    "preprocessor_config.json": b"{}",
    "vocab.json": b"{}",
    "merges.txt": b"",
    "model.safetensors.index.json": index(*SHARDS),
    **dict.fromkeys(SHARDS, WEIGHTS),
}
OLD = {
    "config.json": b"{}",
    "spiece.model": b"",
    "pytorch_model.bin.index.json": index(*PICKLED),
    **dict.fromkeys(PICKLED, b"pickled"),
}
PIPELINE = {
    "model_index.json": json.dumps(
        {
            "_class_name": "AnyPipeline",
            "scheduler": ["diffusers", "DDIMScheduler"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "tokenizer_2": ["transformers", "T5TokenizerFast"],
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "text_encoder_2": ["transformers", "T5EncoderModel"],
            "transformer": ["diffusers", "AnyTransformer2DModel"],
            "safety_checker": [None, None],
            "requires_safety_checker": False,
        }
    ).encode(),
    "scheduler/scheduler_config.json": b"{}",
    "tokenizer/vocab.json": b"{}",
    "tokenizer/merges.txt": b"",
    "tokenizer_2/spiece.model": b"",
    "feature_extractor/preprocessor_config.json": b"{}",
    "text_encoder_2/config.json": b"{}",
    "text_encoder_2/model.safetensors.index.json": index(*SHARDS),
    **{f"text_encoder_2/{shard}": WEIGHTS for shard in SHARDS},
    "transformer/config.json": b"{}",
    "transformer/diffusion_pytorch_model.safetensors": WEIGHTS,
}
INSTRUCTED = SEEING | {
    "config.json": b'{"model_type": "instructblip", "vision_config": {}}',
    "qformer_tokenizer/vocab.txt": b"",
}
LAYOUTS = {"writer": WRITER, "seeing": SEEING, "old": OLD, "instructed": INSTRUCTED, "pipeline": PIPELINE}
EACH_FILE = [
    (layout, name) for layout, files in LAYOUTS.items() for name in files if name != "model_index.json"
]


@pytest.fixture
def laid(tmp_path):
    def lay(files, folder=tmp_path / "folder"):
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder

    return lay


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_whole_folder_passes(layout, laid):
    check_complete(laid(LAYOUTS[layout]), REMEDY, pickled=True)


@pytest.mark.parametrize("name", POCKET_MODELS)
def test_every_bundled_model_is_whole(name):
    check_complete(models_dir() / name, REMEDY)


@pytest.mark.parametrize(("layout", "name"), EACH_FILE)
def test_whichever_file_a_copy_lacks_is_named(layout, name, laid):
    folder = laid({path: data for path, data in LAYOUTS[layout].items() if path != name})
    stem = {
        "tokenizer.json": "a tokenizer (tokenizer.json",
        "vocab.json": "a tokenizer (tokenizer.json, or vocab.json with merges.txt",
        "merges.txt": "a tokenizer (tokenizer.json, or vocab.json with merges.txt",
        "spiece.model": "a tokenizer",
        "vocab.txt": "qformer_tokenizer: a tokenizer",
        "preprocessor_config.json": "preprocessor_config.json",
        "model.safetensors": "weights (model.safetensors",
        "diffusion_pytorch_model.safetensors": "transformer: weights",
    }.get(name.rpartition("/")[2], name)
    with pytest.raises(CheckpointError) as refused:
        check_complete(folder, REMEDY, pickled=True)
    said = str(refused.value)
    assert said.startswith(f"{folder} lacks ")
    assert stem in said
    assert said.endswith(f"; {REMEDY}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({SHARDS[0]: WEIGHTS[:-3]}, rf"{SHARDS[0]} is damaged or cut short.*ask for it"),
        ({SHARDS[1]: b""}, rf"{SHARDS[1]} is damaged or cut short"),
        ({"model.safetensors.index.json": b"{"}, r"model\.safetensors\.index\.json cannot be read"),
        ({"model.safetensors.index.json": b"[]"}, r"index\.json must hold a JSON object"),
        ({"model.safetensors.index.json": b"{}"}, r"index\.json does not say which file beside it"),
        ({"model.safetensors.index.json": index("../x.safetensors")}, r"does not say which file beside it"),
        ({"model.safetensors.index.json": b'{"weight_map": {"w": 3}}'}, r"does not say which file"),
        ({"model.safetensors.index.json": index("a", "b", "c", "d", "e")}, r"a, b, c and 2 files more"),
        ({"config.json": b"x"}, r"config\.json cannot be read"),
    ],
)
def test_a_file_that_is_there_in_part_or_says_nothing_is_named(change, said, laid):
    with pytest.raises(CheckpointError, match=said):
        check_complete(laid(SEEING | change), REMEDY)


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        ({"preprocessor_config.json": None, "processor_config.json": b"{}"}, "an image processor"),
        ({"preprocessor_config.json": None, "processor_config.json": b'{"image_processor": {}}'}, ""),
        ({"vocab.json": None, "merges.txt": None, "tokenizer.model": b""}, ""),
        ({"vocab.json": None, "tokenizer_config.json": b"{}"}, "a tokenizer"),
        ({"model.safetensors": WEIGHTS, SHARDS[0]: None}, ""),
    ],
)
def test_what_stands_for_a_file_is_taken_for_it(files, lacks, laid):
    folder = laid({name: data for name, data in (SEEING | files).items() if data is not None})
    if not lacks:
        check_complete(folder, REMEDY)
        return
    with pytest.raises(CheckpointError, match=lacks):
        check_complete(folder, REMEDY)


@pytest.mark.parametrize(
    ("need", "lacks"),
    [
        (Need("owner/model", "", (), False, ("q4.gguf",)), ""),
        (Need("owner/model", "", (), False, ("q4.gguf", "q8.gguf")), r"lacks q8\.gguf; copy all that"),
        (Need("owner/model", "", (), True, ("q4.gguf",)), r"lacks config\.json"),
    ],
)
def test_what_a_recipe_does_not_use_may_be_absent(need, lacks, laid):
    folder = laid({"q4.gguf": b"GGUF"})
    if not lacks:
        check_needed(need, folder)
        return
    with pytest.raises(CheckpointError, match=lacks):
        check_needed(need, folder)


@pytest.mark.parametrize("hub", [True, False])
@pytest.mark.parametrize(
    ("field", "member", "name"),
    [
        ("labels.model", "llava", "tokenizer.json"),
        ("baseline", "blip2-opt", "processor_config.json"),
        ("scenes.model", "writer", "model.safetensors"),
        ("pictures.model", "painter", "scheduler/scheduler_config.json"),
    ],
)
def test_a_run_asks_before_any_work(field, member, name, hub, laid, monkeypatch, tmp_path):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models" / "owner" / "model"
    paths = [path for path in (models_dir() / member).rglob("*") if path.is_file()]
    names = {path.relative_to(models_dir() / member).as_posix(): path.read_bytes() for path in paths}
    laid({path: data for path, data in names.items() if path != name}, folder)
    model = "owner/model" if hub else str(folder)
    recipe = load_recipe("gallery-vqa", "pocket", [f'{field}={{id="{model}"}}'])
    with pytest.raises(CheckpointError, match=r"model lacks .*; copy (all that|the whole folder)"):
        wiring.check_checkpoints(recipe)
