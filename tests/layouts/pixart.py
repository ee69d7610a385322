"""PixArt Sigma: a diffusion transformer that reads prompts through T5 alone."""

from pathlib import Path

from tests.layouts.diffusion import WIDTH, autoencoder, drawn, pipeline, t5_text, t5_tokenizer


def build(folder: Path) -> None:
    """Write the repository."""
    from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel

    transformer = drawn(
        PixArtTransformer2DModel(
            sample_size=16,
            num_layers=2,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=4,
            in_channels=4,
            out_channels=8,
            cross_attention_dim=32,
            caption_channels=2 * WIDTH,
            use_additional_conditions=False,
        )
    )
    parts = {
        "scheduler": DPMSolverMultistepScheduler(beta_schedule="linear"),
        "text_encoder": t5_text(),
        "tokenizer": t5_tokenizer(folder / "tokenizer", 300),
        "transformer": transformer,
        "vae": autoencoder(),
    }
    pipeline(folder, "PixArtSigmaPipeline", parts)
