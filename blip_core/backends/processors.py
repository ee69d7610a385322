"""Processors of vision-language models: what makes a model's inputs of pictures and texts.

Pictures go through Pillow, whether torchvision is installed or not, so that a picture's pixels do not depend
on that. Processors that also take films need torchvision for these alone; here they are loaded without.
"""

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from blip_core.errors import CheckpointError

_FILMS = "video_processor"


def load_processor(folder: Path, config: Any) -> Any:
    """Load the processor of a vision-language model.

    Args:
        folder: of the checkpoint.
        config: the model's.

    Raises:
        CheckpointError: The library has none for the model, or it needs a package that is not installed.
    """
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    name = config.architectures[0] if config.architectures else config.model_type
    try:
        if type(config) not in PROCESSOR_MAPPING:
            raise CheckpointError(
                f"{folder} holds {name}, for which transformers has no processor of pictures."
            )
        kind = PROCESSOR_MAPPING[type(config)]
        auto: Any = AutoProcessor
        if _FILMS not in kind.get_attributes():
            return auto.from_pretrained(folder, backend="pil", **options)
        return _load_without_films(kind, folder, options)
    except ImportError as error:
        missing = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{folder} holds {name}, whose processor cannot be used here: {missing}"
        ) from error


def _load_without_films(kind: Any, folder: Path, options: dict[str, Any]) -> Any:
    auto_images: Any = AutoImageProcessor
    parts = {
        "image_processor": auto_images.from_pretrained(folder, backend="pil", **options),
        "tokenizer": AutoTokenizer.from_pretrained(folder, **options),
    }
    settings, _ = kind.get_processor_dict(folder, **options)
    ordered = [parts.get(name) for name in kind.get_attributes()]
    try:
        return _without_films(kind).from_args_and_dict(ordered, settings)
    except AttributeError as error:
        raise CheckpointError(
            f"{folder} has a {kind.__name__}, which cannot do without its part for films, unused here"
        ) from error


def _without_films(kind: Any) -> Any:
    """The processor's class, content with nothing in the place of what reads films."""

    class WithoutFilms(kind):
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument_name == _FILMS and argument is None:
                return None
            return super().check_argument_for_proper_class(argument_name, argument)

    return WithoutFilms
