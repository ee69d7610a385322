"""Sana: linear attention over few large patches, a deep decoder, and a language model that reads prompts."""

from pathlib import Path

from tests.layouts.diffusion import WIDTH, drawn, gemma_tokenizer, pipeline

_CHANNELS = 4


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaTransformer2DModel
    from transformers import Gemma2Config, Gemma2Model

    transformer = drawn(
        SanaTransformer2DModel(
            patch_size=1,
            in_channels=_CHANNELS,
            out_channels=_CHANNELS,
            num_layers=1,
            num_attention_heads=2,
            attention_head_dim=8,
            num_cross_attention_heads=2,
            cross_attention_head_dim=8,
            cross_attention_dim=16,
            caption_channels=WIDTH,
            sample_size=32,
        )
    )
    decoder = drawn(
        AutoencoderDC(
            in_channels=3,
            latent_channels=_CHANNELS,
            attention_head_dim=2,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)),
            decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            downsample_block_type="conv",
            upsample_block_type="interpolate",
            decoder_norm_types="rms_norm",
            decoder_act_fns="silu",
            scaling_factor=0.41407,
        )
    )
    reader = Gemma2Config(
        vocab_size=128,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    parts = {
        "scheduler": DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        "text_encoder": drawn(Gemma2Model(reader)),
        "tokenizer": gemma_tokenizer(folder / "tokenizer"),
        "transformer": transformer,
        "vae": decoder,
    }
    pipeline(folder, "SanaPipeline", parts)
