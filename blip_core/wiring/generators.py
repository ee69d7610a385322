"""The models that make a dataset: writer, painter, labeller."""

from blip_core.plugins import load_plugin
from blip_core.ports import Labeller, Painter, TextWriter
from blip_core.recipes import Labels, Pictures, Recipe, Scenes, ServedModel
from blip_core.wiring.checkpoints import checkpoint_identity, locate_checkpoint
from blip_core.wiring.devices import device_of, use_threads
from blip_core.wiring.served import served_identity, served_labeller, served_writer

WORLD_VERSION = 1  # goes up when the composer draws another picture for the same seed


def build_writer(recipe: Recipe) -> TextWriter:
    if recipe.scenes.plugin is not None:
        from blip_core.backends.plugged import plugged_writer

        return plugged_writer(recipe.scenes.plugin, device_of(recipe))
    settings, model = recipe.scenes, recipe.scenes.model
    if isinstance(model, ServedModel):
        return served_writer(recipe, model)
    from blip_core.backends.sampling import Sampling
    from blip_core.backends.transformers_writer import TransformersWriter

    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    folder = locate_checkpoint(model)
    use_threads(recipe)
    return TransformersWriter(folder, sampling, device_of(recipe), model.dtype, model.file)


def build_painter(recipe: Recipe) -> Painter:
    if recipe.source.kind == "world":
        from blip_core.pocket.composer import Composer

        return Composer(recipe.source.style)
    if recipe.pictures.plugin is not None:
        from blip_core.backends.plugged import plugged_painter

        return plugged_painter(recipe.pictures.plugin, device_of(recipe))
    from blip_core.backends.diffusers_painter import DiffusersPainter

    settings = recipe.pictures
    folder = locate_checkpoint(settings.model)
    use_threads(recipe)
    return DiffusersPainter(folder, settings, device_of(recipe), settings.model.dtype)


def picture_settings(recipe: Recipe) -> Pictures:
    """How pictures are asked for: a composer reads the scene itself, without words around it."""
    if recipe.source.kind == "world":
        return recipe.pictures.model_copy(update={"prompt": "{scene}"})
    return recipe.pictures


def painter_identity(recipe: Recipe) -> str:
    if recipe.source.kind == "world":
        return f"world-{WORLD_VERSION}"
    return _identity(recipe.pictures)


def build_labeller(recipe: Recipe) -> Labeller:
    if recipe.labels.plugin is not None:
        from blip_core.backends.plugged import plugged_labeller

        return plugged_labeller(recipe.labels.plugin, device_of(recipe))
    settings, model = recipe.labels, recipe.labels.model
    if isinstance(model, ServedModel):
        return served_labeller(recipe, model)
    from blip_core.backends.image_text_labeller import ImageTextLabeller
    from blip_core.backends.sampling import Sampling

    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    folder = locate_checkpoint(model)
    use_threads(recipe)
    return ImageTextLabeller(folder, sampling, device_of(recipe), model.dtype)


def writer_identity(recipe: Recipe) -> str:
    """What changes when the model that writes scenes does."""
    return _identity(recipe.scenes)


def labeller_identity(recipe: Recipe) -> str:
    """What changes when the model that labels does."""
    return _identity(recipe.labels)


def _identity(section: Scenes | Pictures | Labels) -> str:
    if section.plugin is not None:
        return str(load_plugin(section.plugin.GROUP, section.plugin.name))
    if isinstance(section.model, ServedModel):
        return served_identity(section.model)
    return checkpoint_identity(section.model)
