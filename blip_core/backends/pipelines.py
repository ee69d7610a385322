"""Text-to-image pipelines of diffusers: which folders are loaded, and how. No pickles, no foreign code."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from blip_core.backends.loading import DTYPES, loading
from blip_core.backends.quantising import quantise_blocks
from blip_core.errors import CheckpointError, RecipeError
from blip_core.modeling.checkpoints import (
    check_safetensors,
    read_json,
    refuse_remote_code,
    weight_files,
)
from blip_core.modeling.finite import FETCH_AGAIN, check_weights
from blip_core.recipes.checkpoint import Dtype
from blip_core.recipes.pictures import Pictures, Scheduler

_WEIGHTLESS = (  # configs of what is no model
    "scheduler_config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)
_DENOISERS = ("unet", "transformer")
_SCHEDULERS: Mapping[Scheduler, str] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "pndm": "PNDMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm-solver": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "lcm": "LCMScheduler",
    "tcd": "TCDScheduler",
}
_DISTILLED = ("LCMScheduler", "TCDScheduler")  # of the same family, though diffusers does not list them


@dataclass(frozen=True, slots=True)
class PipelineFolder:
    """A pipeline that can be loaded.

    Attributes:
        path: of the folder.
        kind: name of its class.
        components: name of each component's class, by the component's name.
    """

    path: Path
    kind: str
    components: Mapping[str, str]

    @property
    def weighted(self) -> list[str]:
        """Components that have weights."""
        return [name for name in self.components if _has_weights(self.path / name)]


def _has_weights(folder: Path) -> bool:
    if (folder / "config.json").is_file():
        return True
    return not any((folder / name).is_file() for name in _WEIGHTLESS)


def check_pipeline_folder(folder: Path) -> PipelineFolder:
    """Refuse a folder that cannot be loaded as a text-to-image pipeline, or not safely.

    Raises:
        CheckpointError: no readable index, a pipeline that paints no pictures of prompts alone, a component
            with code of its own, or one without whole safetensors weights.
    """
    index = read_json(folder / "model_index.json", "text-to-image pipeline")
    entries = {
        name: entry
        for name, entry in index.items()
        if isinstance(entry, list) and len(entry) > 1 and entry[0] and not name.startswith("_")
    }
    _refuse_foreign(folder, index.get("_class_name"), entries)
    kind = str(index.get("_class_name") or "nameless pipeline")
    _check_kind(folder, kind)
    found = PipelineFolder(folder, kind, {name: str(entry[1]) for name, entry in entries.items()})
    for name in found.components:
        for path in sorted((folder / name).glob("*.json")):
            refuse_remote_code(path)
    for name in found.weighted:
        _check_weights(folder / name)
    return found


def _refuse_foreign(folder: Path, kind: Any, entries: Mapping[str, list[Any]]) -> None:
    """Refuse a pipeline or components whose code would come from the folder."""
    with loading(folder, "a pipeline"):  # quietly: the import advises on other packages
        from diffusers import pipelines

    known = {"diffusers", "transformers"}
    foreign = sorted(
        name
        for name, (library, *_) in entries.items()
        if library not in known and not hasattr(pipelines, str(library))
    )
    own_files = sorted(path.name for path in folder.glob("*/*.py") if path.parent.name in entries)
    if isinstance(kind, list):
        foreign = [f"the pipeline {kind[-1]}", *foreign]
    if foreign or own_files:
        raise CheckpointError(
            f"{folder} asks for code of its own ({', '.join(foreign or own_files)}), which is never run; "
            "choose a pipeline whose parts diffusers knows"
        )


def _check_kind(folder: Path, kind: str) -> None:
    with loading(folder, kind):
        from diffusers import __version__
        from diffusers.pipelines import auto_pipeline as auto

    classes = {one.__name__: one for one in auto.AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}
    parameters = signature(classes[kind].__call__).parameters if kind in classes else {}
    others: list[tuple[str, Mapping[str, type[Any]]]] = [
        ("changes pictures", auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING),
        ("fills holes in pictures", auto.AUTO_INPAINT_PIPELINES_MAPPING),
        ("makes videos", auto.AUTO_TEXT2VIDEO_PIPELINES_MAPPING),
        ("makes videos of pictures", auto.AUTO_IMAGE2VIDEO_PIPELINES_MAPPING),
        ("makes sound", auto.AUTO_TEXT2AUDIO_PIPELINES_MAPPING),
    ]
    does = next((words for words, known in others if kind in {one.__name__ for one in known.values()}), "")
    if kind not in classes:
        does = does or f"is none that AutoPipelineForText2Image of diffusers {__version__} knows"
    elif "num_frames" in parameters:
        does = "makes videos"
    elif "controlnet" in signature(classes[kind].__init__).parameters or "control_image" in parameters:
        does = "needs a second picture to go by"
    elif not {"prompt", "generator", "output_type"} <= set(parameters):
        does = "takes no prompt and seed"
    else:
        return
    raise CheckpointError(
        f"{folder} holds a {kind}, which {does}; allowed here are pipelines that paint pictures of prompts "
        "alone, such as StableDiffusionPipeline, StableDiffusionXLPipeline, FluxPipeline or SanaPipeline"
    )


def _check_weights(folder: Path) -> None:
    weights = weight_files(folder)
    if not weights:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        seen = (
            f"only pickled weights ({', '.join(pickled)}), which are never read" if pickled else "no weights"
        )
        raise CheckpointError(f"{folder} holds {seen}; it needs *.safetensors")
    for path in weights:
        check_safetensors(path)


def load_pipeline(found: PipelineFolder, settings: Pictures, device: str, dtype: Dtype) -> Any:
    """Load a pipeline onto a device, with the scheduler and the ways to save memory that a recipe asks for.

    Raises:
        CheckpointError: It cannot be loaded.
        RecipeError: It has no such scheduler, or no such way to save memory.
        StageFailure: Memory does not suffice for its weights.
    """
    for name in found.weighted:
        check_weights(weight_files(found.path / name), f"the checkpoint in {found.path / name}", FETCH_AGAIN)
    with loading(found.path, found.kind):
        # Imported here because its import advises on other packages, too.
        from diffusers import AutoPipelineForText2Image
        from diffusers.utils import logging

        logging.disable_progress_bar()
        auto: Any = AutoPipelineForText2Image
        pipe = auto.from_pretrained(
            found.path,
            dtype=DTYPES[dtype],
            use_safetensors=True,
            local_files_only=True,
            **_own_options(found),
        )
    logging.set_verbosity_error()  # else every prompt whose tail the text encoder cuts off prints a line
    pipe.set_progress_bar_config(disable=True)
    _set_scheduler(pipe, settings)
    _save_memory(pipe, settings)
    with loading(found.path, found.kind):
        if settings.quantisation != "none":
            quantise_blocks(denoiser_of(pipe), settings.quantisation, DTYPES[dtype])
        _place(pipe, settings, device)
    return pipe


def _own_options(found: PipelineFolder) -> dict[str, Any]:
    """Options that some pipelines have."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING as CLASSES

    kind = next(one for one in CLASSES.values() if one.__name__ == found.kind)
    known = signature(kind.__init__).parameters
    options = {
        "requires_safety_checker": "safety_checker" in found.components,
        "add_watermarker": False,  # it would depend on the packages that are installed
    }
    return {name: value for name, value in options.items() if name in known}


def denoiser_of(pipe: Any) -> Any:
    """The model of a pipeline that works at every step.

    Raises:
        RecipeError: It has none under a name that is known here.
    """
    for name in _DENOISERS:
        if getattr(pipe, name, None) is not None:
            return getattr(pipe, name)
    raise RecipeError(f"pictures.quantisation: {type(pipe).__name__} has neither {' nor '.join(_DENOISERS)}")


def _set_scheduler(pipe: Any, settings: Pictures) -> None:
    if settings.scheduler is None and settings.timestep_spacing is None:
        return
    import diffusers

    own = pipe.scheduler
    name = type(own).__name__
    wanted = _SCHEDULERS[settings.scheduler] if settings.scheduler else name
    is_of_the_family = len(own.compatibles) > 1 or name in _DISTILLED
    if wanted != name and not is_of_the_family:
        raise RecipeError(
            f"pictures.scheduler is {settings.scheduler}, which cannot stand in for the {name} of this "
            f"{type(pipe).__name__}; leave it out"
        )
    kind = getattr(diffusers, wanted)
    if settings.timestep_spacing and "timestep_spacing" not in signature(kind.__init__).parameters:
        raise RecipeError(
            f"pictures.timestep_spacing is {settings.timestep_spacing}, but the {wanted} of this "
            f"{type(pipe).__name__} spreads its steps in one way only; leave it out"
        )
    spacing = {"timestep_spacing": settings.timestep_spacing} if settings.timestep_spacing else {}
    pipe.scheduler = kind.from_config(own.config, **spacing)


def _save_memory(pipe: Any, settings: Pictures) -> None:
    if settings.attention_slicing:
        pipe.enable_attention_slicing(1)
    for field, method in (("vae_slicing", "enable_slicing"), ("vae_tiling", "enable_tiling")):
        if not getattr(settings, field):
            continue
        vae = getattr(pipe, "vae", None)
        if not hasattr(vae, method):
            raise RecipeError(f"pictures.{field}: the decoder of {type(pipe).__name__} cannot; leave it out")
        getattr(vae, method)()


def _place(pipe: Any, settings: Pictures, device: str) -> None:
    """Move a pipeline to a device, or have its parts moved there when it is their turn."""
    if settings.offload == "none" or torch.device(device).type == "cpu":  # all is in this machine's memory
        pipe.to(torch.device(device))
    elif settings.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)
