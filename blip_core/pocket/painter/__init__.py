"""The pocket painter: a Stable Diffusion checkpoint that is trained on the pocket world.

It is trained in parts that stand on each other: autoencoder, text encoder, latents on disk, denoiser.
"""
