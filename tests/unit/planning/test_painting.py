"""Pipelines of any family are counted from their configs; what is bounded lies above what is computed."""

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.planning.architectures import architecture_of
from blip_core.planning.live_bytes import AsOn, LiveBytes
from blip_core.planning.painting import is_bounded, paint, pipeline_modules
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.pictures import Pictures

SDXL = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}
FLUX = {
    "_class_name": "FluxTransformer2DModel",
    "patch_size": 1,
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
    "guidance_embeds": True,
    "axes_dims_rope": [16, 56, 56],
}
SD3 = {
    "_class_name": "SD3Transformer2DModel",
    "sample_size": 128,
    "patch_size": 2,
    "in_channels": 16,
    "num_layers": 4,
    "attention_head_dim": 64,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
    "out_channels": 16,
}
PIXART = {
    "_class_name": "PixArtTransformer2DModel",
    "sample_size": 128,
    "patch_size": 2,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 4,
    "attention_head_dim": 72,
    "num_attention_heads": 16,
    "cross_attention_dim": 1152,
    "caption_channels": 4096,
    "use_additional_conditions": False,
}
VAE = {"_class_name": "AutoencoderKL", "latent_channels": 16, "block_out_channels": [8, 8, 8, 8]}
VAE |= {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
VAE |= {"norm_num_groups": 4}
LARGE = Pictures(
    width_px=1024,
    height_px=1024,
    batch_size=1,
    steps=10,
    guidance_scale=3.5,
    model={"id": "a/b", "dtype": "bfloat16"},
)


@pytest.mark.parametrize(
    ("config", "parameters"), [(SDXL, 2_567_463_684), (FLUX, 11_901_408_320)], ids=["SDXL", "FLUX.1-dev"]
)
def test_published_denoisers_have_the_parameters_that_they_are_known_for(config, parameters):
    (denoiser,) = pipeline_modules({"denoiser": config}).values()
    assert sum(weight.numel() for weight in denoiser.parameters()) == parameters


@pytest.mark.parametrize("family", ["sd1_checked", "sdxl", "sd3", "flux", "pixart", "sana"])
def test_a_folder_of_any_family_is_counted_whole(family, layout):
    folder = layout(family)
    parts = architecture_of(Checkpoint(id=str(folder)), "diffusion", "pictures.model", folder, folder).config
    settings = Pictures(width_px=32, height_px=32, steps=2, model=Checkpoint(id=str(folder)))
    footprint = paint(parts, settings, "cuda")
    stored = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert footprint.weights == pytest.approx(
        stored, rel=0.25
    )  # besides names; SANA's buffers are not stored
    assert footprint.working > 0
    assert paint(parts, settings.model_copy(update={"steps": 4}), "cuda").work.flops > footprint.work.flops
    assert is_bounded(parts) == (family not in ("sd1_checked", "sdxl"))


def asked(transformer, config):
    """One row of 1024 x 1024 pixels as each pipeline hands it to its transformer, 512 tokens of text."""

    def empty(*shape):
        return torch.empty(shape, dtype=torch.bfloat16, device="meta")

    if config is FLUX:
        return {
            "hidden_states": empty(1, 4096, 64),
            "encoder_hidden_states": empty(1, 512, 4096),
            "pooled_projections": empty(1, 768),
            "timestep": empty(1),
            "img_ids": empty(4096, 3),
            "txt_ids": empty(512, 3),
            "guidance": empty(1),
        }
    both = {"hidden_states": empty(1, config["in_channels"], 128, 128), "timestep": empty(1)}
    if config is SD3:
        texts = {"encoder_hidden_states": empty(1, 512, 4096), "pooled_projections": empty(1, 2048)}
        return both | texts
    sizes = {"resolution": None, "aspect_ratio": None}
    return both | {"encoder_hidden_states": empty(1, 512, 4096), "added_cond_kwargs": sizes}


@pytest.mark.parametrize("config", [FLUX, SD3, PIXART], ids=["flux", "sd3", "pixart"])
def test_the_bound_of_a_transformer_lies_above_what_it_takes(config):
    config = config if config is not FLUX else FLUX | {"num_layers": 2, "num_single_layers": 2}
    name = config["_class_name"]
    (transformer,) = pipeline_modules({"transformer": config}).values()
    transformer.to(torch.bfloat16).requires_grad_(False)
    original = FLUX if name.startswith("Flux") else config
    with torch.no_grad(), AsOn("cuda", padded=False), LiveBytes(transformer) as live:
        transformer(**asked(transformer, original))
    settings = LARGE if original is FLUX else LARGE.model_copy(update={"guidance_scale": 1.0})
    vae = VAE | {"latent_channels": 4 if name.startswith("PixArt") else 16}
    bound = paint({"transformer": config, "vae": vae}, settings, "cuda")
    assert live.peak <= bound.working <= 5 * live.peak
    assert live.work.flops <= bound.work.flops / settings.steps <= 3 * live.work.flops


def test_settings_that_save_memory_show_in_a_plan():
    parts = {"transformer": PIXART, "vae": VAE | {"latent_channels": 4, "block_out_channels": [64] * 4}}

    def planned(**changes):
        return paint(parts, LARGE.model_copy(update=changes), "cuda")

    plain = planned()
    assert planned(quantisation="nf4").weights < planned(quantisation="int8").weights < plain.weights
    assert planned(offload="sequential").weights < planned(offload="model").weights < plain.weights
    for by_turns in ("model", "sequential"):
        assert planned(offload=by_turns).waiting == plain.weights > plain.waiting == 0
    assert planned(batch_size=4, vae_slicing=True).working < planned(batch_size=4).working


def test_a_part_that_nobody_knows_is_named():
    with pytest.raises(CheckpointError, match="transformer is a MyTransformer, which neither diffusers"):
        pipeline_modules({"transformer": {"_class_name": "MyTransformer"}})
