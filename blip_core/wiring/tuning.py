"""What tuning needs: the base, where its pictures' states come from, and the job of several processes."""

from pathlib import Path
from typing import TYPE_CHECKING

from blip_core.recipes import Recipe
from blip_core.wiring.checkpoints import checkpoint_identity, locate_checkpoint, pinned
from blip_core.wiring.devices import check_gpus, device_of, use_threads
from blip_core.wiring.places import workplace
from blip_core.wiring.variants import inference_settings

if TYPE_CHECKING:
    from blip_core.modeling import Blip2Bundle
    from blip_core.modeling.features import VisionStates
    from blip_core.training.launching import Job


def load_base(recipe: Recipe) -> "Blip2Bundle":
    """The model that is tuned, quantised as the recipe says; an adapter that does not fit is refused first.

    Raises:
        CheckpointError: It is not here, or cannot be loaded.
        RecipeError: The adapter does not fit it.
    """
    from blip_core.modeling import load_blip2

    use_threads(recipe)
    check_adapter(recipe)
    base, settings = recipe.finetune.base, recipe.finetune
    return load_blip2(locate_checkpoint(base), settings.quantisation, device_of(recipe), base.dtype)


def vision_states(recipe: Recipe, bundle: "Blip2Bundle") -> "VisionStates":
    """Where tuning takes the vision tower's outputs from: the store, or the tower itself for every batch."""
    settings = recipe.finetune
    if settings.features == "fresh":
        from blip_core.modeling.fresh_features import FreshVisionStates

        return FreshVisionStates(bundle, settings.augmentation, recipe.seed)
    from blip_core.modeling.stored_features import StoredVisionStates

    return StoredVisionStates(bundle, workplace().store, checkpoint_identity(settings.base))


def tuning_job(
    recipe: Recipe,
    dataset: Path,
    out_dir: Path,
    checkpoints: Path,
    start: Path | None = None,
    probes: Path | None = None,
) -> "Job":
    """What several processes are told that tune together; see `training.launching.finetune_together`.

    Raises:
        CheckpointError: The base is not here.
        RecipeError: The adapter does not fit it, or there are fewer GPUs than processes.
    """
    from blip_core.training.launching import Job

    check_adapter(recipe)
    base, device, place = recipe.finetune.base, device_of(recipe), workplace()
    check_gpus(recipe, device)
    return Job(
        base=locate_checkpoint(base),
        identity=checkpoint_identity(base),
        dataset=dataset,
        store=place.store.root,
        settings=recipe.finetune.model_copy(update={"base": pinned(base)}),
        prompts=inference_settings(recipe),
        seed=recipe.seed,
        out_dir=out_dir,
        checkpoints=checkpoints,
        device=device,
        processes=recipe.device.processes,
        threads=recipe.device.threads if device == "cpu" else 0,
        start=start,
        probes=probes,
        shared=place.store_address if place.is_shared else None,
    )


def check_adapter(recipe: Recipe) -> None:
    """Refuse an adapter that cannot sit on its base, from the base's config alone."""
    from blip_core.modeling import check_adapter_fits

    settings = recipe.finetune
    folder = locate_checkpoint(settings.base)
    check_adapter_fits(folder, settings.adapter, settings.features, settings.quantisation)
