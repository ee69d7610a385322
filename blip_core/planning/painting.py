"""A text-to-image pipeline: what a batch of pictures takes.

UNets and the usual decoders are run on the `meta` device, so that their peaks are those of the very code. Of
transformers the weights are exact and the rest is bounded: their inputs differ from one to the next.
"""

from collections.abc import Mapping
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor, nn

from blip_core.backends.quantising import block_linears
from blip_core.errors import CheckpointError
from blip_core.planning.footprint import Footprint, parameter_bytes
from blip_core.planning.live_bytes import AsOn, LiveBytes, Operation, Where, Work
from blip_core.planning.meta_blip2 import DTYPES, META, token_ids
from blip_core.recipes.pictures import Pictures

# What parts are whose configs do not name a class, as those of Stable Diffusion 1.x.
_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
_CHECKER = "StableDiffusionSafetyChecker"
_DECODERS = ("AutoencoderKL", "AutoencoderDC")
_DENOISERS = ("unet", "transformer")
_CLIP_TOKENS = 77
_PROMPT_TOKENS = 512  # the most that any pipeline of diffusers reads unless told otherwise
_SIZES = 6  # numbers that tell a UNet of Stable Diffusion XL the picture's size and crop
# Values a token that a block of a transformer holds at once, as multiples of its width: what goes around it
# and its norm (4), queries, keys, values and what they give (6), four widths before and after an activation
# (8), and float32 copies of rotations and norms (6).
_LIVE_WIDTHS = 24
_DECODED_CHANNELS = 512  # of an unknown decoder, on every pixel: more than any known one has at full size
_NF4_BYTES = 0.5 + 4 / 64  # four bits, and a float32 for 64 weights
_INT8_BYTES = 1.0


def pipeline_modules(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The modules of a pipeline's parts on the `meta` device, by name.

    Args:
        parts: config of each part that has weights, by the part's name.

    Raises:
        CheckpointError: The installed libraries do not know one of the classes.
    """
    with META:
        return {name: _module(name, config) for name, config in parts.items()}


def _module(name: str, config: Mapping[str, Any]) -> Any:
    import diffusers  # advises on other packages when it is imported
    import transformers

    kind = config.get("_class_name") or (config.get("architectures") or [_CLASSES.get(name, _CHECKER)])[0]
    if kind == _CHECKER:
        vision = config.get("vision_config", {})
        return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**_plain(vision)))
    if hasattr(diffusers, kind):
        return getattr(diffusers, kind).from_config(dict(config))
    if hasattr(transformers, kind):
        model_type = config.get("model_type", "clip_text_model")
        return getattr(transformers, kind)(transformers.AutoConfig.for_model(model_type, **_plain(config)))
    raise CheckpointError(
        f"{name} is a {kind}, which neither diffusers {diffusers.__version__} nor transformers "
        f"{transformers.__version__} knows: what it takes cannot be said"
    )


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in ("model_type", "architectures")}


def is_bounded(parts: Mapping[str, Any]) -> bool:
    """Whether a pipeline's memory and work are bounds, not those of its very code."""
    return "unet" not in parts or _kind(parts, "vae") not in _DECODERS


def paint(parts: Mapping[str, Any], settings: Pictures, where: Where) -> Footprint:
    """What a batch of pictures takes: texts read, latents denoised step by step, pictures decoded.

    Raises:
        CheckpointError: The installed libraries do not know a part of the pipeline.
    """
    modules = pipeline_modules(parts)
    dtype = DTYPES[settings.model.dtype]
    for module in modules.values():
        nn.Module.to(module, dtype)  # diffusers' own would warn of types that none of these parts has
        module.eval().requires_grad_(False)
    denoiser = next((name for name in _DENOISERS if name in modules), None)
    if denoiser is None:
        raise CheckpointError(f"a pipeline of {', '.join(parts)} has neither {' nor '.join(_DENOISERS)}")
    batch = _Batch(parts, settings, dtype)
    with torch.no_grad(), AsOn(where, padded=False), LiveBytes(*modules.values()) as live:
        with live.part() as once:
            texts = batch.texts(modules)
        read = once()
        with live.part() as step:
            latents = batch.latents()
            if denoiser == "unet":
                latents = batch.denoise(modules["unet"], texts, latents)
        denoised = step()
        with live.part() as decoding:
            batch.decode(modules.get("vae"), latents)
        decoded = decoding()
    peak = live.peak
    if denoiser != "unet":
        denoised, most = batch.bounded(modules[denoiser])
        peak = max(peak, most)
    work = read + denoised * settings.steps + decoded
    sizes = _sizes_of(modules, denoiser, settings)
    resting = _resting(modules, sizes, settings, where)
    waiting = 0 if resting == sum(sizes.values()) else sum(sizes.values())
    return Footprint(resting, 0, peak, work, waiting=waiting)


class _Batch:
    """Tensors of one batch, by the shapes that a pipeline's configs tell."""

    def __init__(self, parts: Mapping[str, Any], settings: Pictures, dtype: torch.dtype) -> None:
        self._parts = parts
        self._settings = settings
        self._dtype = dtype
        vae = parts.get("vae", {})
        depths = vae.get("block_out_channels") or vae.get("decoder_block_out_channels") or (0,) * 4
        self._shrinking = 2 ** (len(depths) - 1)
        self._sides = settings.height_px // self._shrinking, settings.width_px // self._shrinking
        is_told = bool(parts.get("transformer", {}).get("guidance_embeds"))
        self._guided = settings.batch_size * (2 if settings.guidance_scale > 1 and not is_told else 1)

    def texts(self, modules: Mapping[str, Any]) -> Tensor:
        """What prompts become; CLIP's reader is run where it is the only one."""
        if "text_encoder" in modules and "text_encoder_2" not in modules and "unet" in modules:
            tokens = self._parts["text_encoder"]["max_position_embeddings"]
            read: Tensor = modules["text_encoder"](
                input_ids=token_ids(self._guided, tokens)
            ).last_hidden_state
            return read
        width = self._parts.get("unet", {}).get("cross_attention_dim") or 1
        return self._empty(self._guided, _CLIP_TOKENS, width)

    def latents(self) -> Tensor:
        config = self._parts.get("unet") or self._parts["transformer"]
        channels = self._parts.get("vae", {}).get("latent_channels") or config["in_channels"]
        return self._empty(self._settings.batch_size, channels, *self._sides)

    def denoise(self, unet: Any, texts: Tensor, latents: Tensor) -> Tensor:
        """One step."""
        doubled = torch.cat([latents] * (self._guided // self._settings.batch_size))
        told = {"added_cond_kwargs": self._sizes()} if unet.config.addition_embed_type == "text_time" else {}
        noise = unet(doubled, torch.ones((), device=META), encoder_hidden_states=texts, **told).sample
        after: Tensor = latents - noise[: self._settings.batch_size]
        return after

    def _sizes(self) -> dict[str, Tensor]:
        unet = self._parts["unet"]
        width = unet["projection_class_embeddings_input_dim"] - _SIZES * unet["addition_time_embed_dim"]
        return {
            "text_embeds": self._empty(self._guided, width),
            "time_ids": self._empty(self._guided, _SIZES),
        }

    def decode(self, vae: Any, latents: Tensor) -> None:
        """Decode as many pictures at once, as large at once, as the settings have it."""
        rows = 1 if self._settings.vae_slicing else self._settings.batch_size
        if type(vae).__name__ not in _DECODERS:
            height, width = self._settings.height_px, self._settings.width_px
            self._empty(rows, _DECODED_CHANNELS, height, width)
            return
        if self._settings.vae_tiling:
            tile = ceil(
                getattr(vae, "tile_sample_min_height", vae.config.get("sample_size", 512)) / self._shrinking
            )
            latents = latents[:, :, :tile, :tile]
        vae.decode(latents[:rows] / 1.0).sample.float()

    def bounded(self, transformer: Any) -> tuple[Work, int]:
        """Work of one step of a transformer, and the bytes that it holds at the most."""
        config = transformer.config
        packed = max(1, config["in_channels"] // self._parts.get("vae", {}).get("latent_channels", 1))
        patch = config.get("patch_size") or 1
        patch = patch if isinstance(patch, int) else max(patch)
        picture = prod(self._sides) / (packed * patch**2)
        tokens = picture + (self._settings.prompt_tokens or _PROMPT_TOKENS)
        width, layers = _width(transformer), sum(1 for _ in _blocks(transformer))
        # What steers a block by time and text is computed once a row, not once a token.
        weights = sum(linear.weight.numel() for _, linear in block_linears(transformer))
        flops = self._guided * (2 * weights * tokens + 4 * tokens**2 * width * layers)
        size = self._dtype.itemsize
        live = int(self._guided * tokens * width * _LIVE_WIDTHS * size)
        moved = weights * size + live * layers
        return Work({Operation(int(flops), int(moved), self._dtype == torch.float32): 1.0}), live

    def _empty(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self._dtype, device=META)


def _blocks(transformer: nn.Module) -> list[nn.Module]:
    lists = [module for module in transformer.children() if isinstance(module, nn.ModuleList)]
    return [block for blocks in lists for block in blocks]


def _width(transformer: nn.Module) -> int:
    """Width of what goes through a transformer's blocks: what most of their linears take."""
    taken = [linear.in_features for _, linear in block_linears(transformer)]
    return max(set(taken), key=taken.count, default=1)


def _kind(parts: Mapping[str, Any], name: str) -> str:
    return str(parts.get(name, {}).get("_class_name", _CLASSES.get(name, "")))


def _sizes_of(modules: Mapping[str, Any], denoiser: str, settings: Pictures) -> dict[str, int]:
    """Bytes of each part's weights."""
    sizes = {name: parameter_bytes([module]) for name, module in modules.items()}
    if settings.quantisation != "none":
        sizes[denoiser] -= _saved(modules[denoiser], settings)
    return sizes


def _resting(modules: Mapping[str, Any], sizes: Mapping[str, int], settings: Pictures, where: Where) -> int:
    """Bytes of the weights that are on the device at once."""
    if settings.offload == "none" or where == "cpu":
        return sum(sizes.values())
    if settings.offload == "model":
        return max(sizes.values())
    leaves = [leaf for module in modules.values() for leaf in module.modules() if not list(leaf.children())]
    return max(parameter_bytes([leaf]) for leaf in leaves)


def _saved(denoiser: nn.Module, settings: Pictures) -> int:
    each = _NF4_BYTES if settings.quantisation == "nf4" else _INT8_BYTES
    weights = [linear.weight for _, linear in block_linears(denoiser)]
    return int(sum(weight.numel() * (weight.element_size() - each) for weight in weights))
