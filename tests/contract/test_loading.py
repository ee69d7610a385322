"""What is loaded without a word, and what must not be loaded and what its owner is told."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from blip_core.backends.diffusers_painter import DiffusersPainter
from blip_core.backends.image_text_labeller import ImageTextLabeller
from blip_core.backends.sampling import Sampling
from blip_core.backends.transformers_writer import TransformersWriter
from blip_core.errors import CheckpointError
from blip_core.recipes.pictures import Pictures
from tests.layouts.sd3 import build as build_sd3

SAMPLING = Sampling(1.0, 1.0, 4)
SETTINGS = Pictures(width_px=32, height_px=32, steps=1)


def load_writer(folder):
    return TransformersWriter(folder, SAMPLING)


def load_labeller(folder):
    return ImageTextLabeller(folder, SAMPLING)


def load_painter(folder):
    return DiffusersPainter(folder, SETTINGS)


def copied(request, name, tmp_path):
    return shutil.copytree(request.getfixturevalue(name), tmp_path / "copy")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(("load", "name"), [(load_writer, "writer_folder"), (load_labeller, "llava_folder")])
def test_remote_code_is_refused(load, name, request, tmp_path):
    folder = copied(request, name, tmp_path)
    edit(folder / "config.json", auto_map={"AutoModelForCausalLM": "own.Model"})
    with pytest.raises(CheckpointError, match="code of its own"):
        load(folder)


@pytest.mark.parametrize(
    ("load", "name", "part"),
    [
        (load_writer, "writer_folder", "model"),
        (load_labeller, "llava_folder", "model"),
        (load_painter, "painter_folder", "unet/diffusion_pytorch_model"),
        (load_painter, "painter_folder", "text_encoder/model"),
    ],
)
def test_pickled_weights_are_refused(load, name, part, request, tmp_path):
    folder = copied(request, name, tmp_path)
    weights = folder / f"{part}.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match=r"only pickled weights .*needs \*\.safetensors"):
        load(folder)


@pytest.mark.parametrize(
    ("load", "name", "part"),
    [
        (load_writer, "writer_folder", "model"),
        (load_painter, "painter_folder", "vae/diffusion_pytorch_model"),
    ],
)
def test_truncated_weights_are_refused(load, name, part, request, tmp_path):
    weights = copied(request, name, tmp_path) / f"{part}.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64])
    with pytest.raises(CheckpointError, match="damaged"):
        load(tmp_path / "copy")


def test_a_pipeline_with_code_of_its_own_is_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "model_index.json", unet=["my_unet", "MyUNet"])
    with pytest.raises(CheckpointError, match=r"code of its own \(unet\)"):
        load_painter(folder)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("StableDiffusionXLImg2ImgPipeline", "changes pictures"),
        ("StableDiffusionInpaintPipeline", "fills holes in pictures"),
        ("WanPipeline", "makes videos"),
        ("HeliosPipeline", "makes videos"),
        ("LTXImageToVideoPipeline", "makes videos of pictures"),
        ("StableAudioPipeline", "makes sound"),
        ("StableDiffusionXLControlNetPipeline", "needs a second picture to go by"),
        ("FluxControlPipeline", "needs a second picture to go by"),
        ("KandinskyV22Pipeline", r"is none that AutoPipelineForText2Image of diffusers 0\S+ knows"),
        ("MyPipeline", r"is none that AutoPipelineForText2Image of diffusers 0\S+ knows"),
        ("", "nameless pipeline, which is none that .* knows"),
    ],
)
def test_a_pipeline_that_paints_no_pictures_of_prompts_is_refused(kind, told, painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "model_index.json", _class_name=kind)
    with pytest.raises(CheckpointError, match=f"{kind}.*{told}; allowed"):
        load_painter(folder)


def test_a_custom_pipeline_is_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "model_index.json", _class_name=["pipeline", "MyPipeline"])
    with pytest.raises(CheckpointError, match=r"code of its own \(the pipeline MyPipeline\)"):
        load_painter(folder)


def test_a_component_that_brings_a_file_of_code_is_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    (folder / "unet" / "diffusers.py").write_text("raise SystemExit('ran')\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"code of its own \(diffusers.py\)"):
        load_painter(folder)


def test_a_text_encoder_with_code_of_its_own_is_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "text_encoder" / "config.json", auto_map={"AutoModel": "own.Model"})
    with pytest.raises(CheckpointError, match=r"text_encoder/config.json asks for code of its own"):
        load_painter(folder)


def test_a_component_of_an_unknown_class_is_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "model_index.json", text_encoder=["transformers", "NoSuchModel"])
    with pytest.raises(CheckpointError, match=r"cannot be loaded as StableDiffusionPipeline: .*NoSuchModel"):
        load_painter(folder)


def test_parts_of_another_pipeline_are_refused(painter_folder, tmp_path):
    folder = shutil.copytree(painter_folder, tmp_path / "copy")
    edit(folder / "model_index.json", _class_name="FluxPipeline")
    with pytest.raises(CheckpointError, match="cannot be loaded as FluxPipeline: "):
        load_painter(folder)


def test_a_shard_that_is_missing_is_named(tmp_path):
    build_sd3(tmp_path)
    sorted((tmp_path / "transformer").glob("*.safetensors"))[-1].unlink()
    with pytest.raises(CheckpointError, match=r"transformer lacks its weight file .*-of-.*safetensors"):
        load_painter(tmp_path)


def test_another_architecture_is_refused(writer_folder):
    with pytest.raises(CheckpointError, match="LlamaForCausalLM; allowed here: vision-language models"):
        load_labeller(writer_folder)


@pytest.mark.parametrize("load", [load_writer, load_labeller, load_painter])
def test_a_folder_without_a_model_is_refused(load, tmp_path):
    with pytest.raises(CheckpointError, match="has no"):
        load(tmp_path)


def test_a_gguf_file_that_is_missing_or_none_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no GGUF file"):
        TransformersWriter(tmp_path, SAMPLING, gguf="model.gguf")
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="is not a GGUF file"):
        TransformersWriter(tmp_path, SAMPLING, gguf="model.gguf")


@pytest.mark.parametrize(("load", "name"), [(load_writer, "writer_folder"), (load_labeller, "llava_folder")])
def test_weights_that_are_missing_are_named_instead_of_made_up(load, name, request, tmp_path):
    weights = copied(request, name, tmp_path) / "model.safetensors"
    tensors = load_file(weights)
    lost = next(key for key in tensors if key.endswith("q_proj.weight"))
    save_file({key: tensor for key, tensor in tensors.items() if key != lost}, weights, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks 1 weights .*q_proj"):
        load(tmp_path / "copy")


@pytest.mark.parametrize(
    ("load", "name"),
    [(load_writer, "writer_folder"), (load_labeller, "llava_folder"), (load_painter, "painter_folder")],
)
def test_a_good_folder_loads_without_a_line(load, name, request, capfd):
    folder = request.getfixturevalue(name)
    capfd.readouterr()
    load(folder).close()
    assert capfd.readouterr() == ("", "")
