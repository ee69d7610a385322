"""What a checkpoint is built like: from its own config where it lies on this machine, else as published.

`published/` holds the configs of the checkpoints that the shipped recipes name, with where they stand in
public, so that a plan can be made before the first download.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from blip_core.errors import CheckpointError
from blip_core.modeling.backbones import BACKBONES
from blip_core.modeling.checkpoints import read_json
from blip_core.prefetching.selecting import component_folders
from blip_core.recipes.checkpoint import POCKET_PREFIX, Checkpoint

Kind = Literal["language", "llava", "image-text", "blip-2", "diffusion"]

PUBLISHED = "published"
_MODEL_INDEX = "model_index.json"
_KIND_WORDS: Mapping[Kind, str] = {
    "language": "a language model",
    "llava": "a LLaVA",
    "image-text": "a model that answers about pictures",
    "blip-2": "a BLIP-2 or InstructBLIP",
    "diffusion": "a text-to-image pipeline",
}
_ALLOWED: Mapping[Kind, tuple[Kind, ...]] = {
    "language": ("language", "image-text"),
    "image-text": ("image-text", "llava"),
}
_WEIGHTS = (".safetensors", ".gguf")


@dataclass(frozen=True)
class Architecture:
    """How a checkpoint is built.

    Attributes:
        id: as the recipe names it.
        kind: what it is.
        config: of transformers; for a diffusion pipeline the configs of its parts by name.
        origin: where this is known from, in words.
        stored_dtype: type that its files hold weights in.
        disk_bytes: of its weights on this machine; None where it is still to be downloaded.
        note: what else is known of it and changes the figures; mostly empty.
    """

    id: str
    kind: Kind
    config: Any
    origin: str
    stored_dtype: str
    disk_bytes: int | None
    note: str = ""


def architecture_of(
    checkpoint: Checkpoint, kind: Kind, field: str, models_dir: Path, pocket_dir: Path
) -> Architecture:
    """Find out how a checkpoint is built; reads configs, never weights, and asks no hub.

    Args:
        checkpoint: what the recipe asks for.
        kind: what the stage needs.
        field: where the recipe names it.
        models_dir: where snapshots from the hub lie, as `models_dir/owner/name`.
        pocket_dir: where the bundled family lies, as `pocket_dir/name`.

    Raises:
        CheckpointError: Nothing is known of it, its config cannot be read, or it is of another kind.
    """
    folder = _folder(checkpoint, models_dir, pocket_dir)
    if folder.is_dir():
        return _from_folder(checkpoint, kind, field, folder)
    content = _published().get(checkpoint.id)
    if content is None:
        raise CheckpointError(_unknown(checkpoint, field, folder))
    config = _from_published(content)
    _check_kind(config, kind, field, checkpoint.id)
    origin = f"as published, {content['source']}"
    note = content.get("before", {}).get("words", "")
    return Architecture(checkpoint.id, kind_of(config), config, origin, content["stored_dtype"], None, note)


def published_ids() -> tuple[str, ...]:
    """Hub ids whose configs come with this package."""
    return tuple(sorted(_published()))


def published_parameters(hub_id: str) -> int:
    """Parameters that a published checkpoint is known to have.

    Raises:
        KeyError: Its config does not come with this package.
    """
    return int(_published()[hub_id]["parameters"])


def _folder(checkpoint: Checkpoint, models_dir: Path, pocket_dir: Path) -> Path:
    if checkpoint.is_pocket:
        return pocket_dir / checkpoint.id.removeprefix(POCKET_PREFIX)
    return Path(checkpoint.id).expanduser() if checkpoint.is_local else models_dir / checkpoint.id


def _unknown(checkpoint: Checkpoint, field: str, folder: Path) -> str:
    if checkpoint.is_local or checkpoint.is_pocket:
        return (
            f"{field} is {checkpoint.id}, and there is no folder {folder}; give the path of one that exists"
        )
    return (
        f"{field} is {checkpoint.id}, whose architecture is not known here: it is not at {folder}, and only "
        f"{', '.join(published_ids())} can be planned for without. Fetch it with `foundry prefetch`, or give "
        "the path of a folder that holds its config.json (a plan reads no weights)"
    )


@cache
def _published() -> Mapping[str, dict[str, Any]]:
    folder = files("blip_core.planning") / PUBLISHED
    contents = (json.loads(entry.read_text(encoding="utf-8")) for entry in folder.iterdir())
    return {content["id"]: content for content in contents}


def _from_published(content: Mapping[str, Any]) -> Any:
    if "components" in content:
        return content["components"]
    from transformers import AutoConfig

    config: dict[str, Any] = dict(content["config"])
    return AutoConfig.for_model(config.pop("model_type"), **config)


def _from_folder(checkpoint: Checkpoint, kind: Kind, field: str, folder: Path) -> Architecture:
    weights = [path for path in folder.rglob("*") if path.suffix in _WEIGHTS and path.is_file()]
    size = sum(path.stat().st_size for path in weights) if weights else None
    if (folder / _MODEL_INDEX).is_file():
        config: Any = {
            part: read_json(folder / part / "config.json", "diffusion")
            for part in sorted(component_folders((folder / _MODEL_INDEX).read_bytes(), str(folder)))
            if (folder / part / "config.json").is_file()  # others have no weights
        }
        stored: str = checkpoint.dtype
    else:
        config = _read_config(checkpoint, folder)
        stored = str(config.dtype or checkpoint.dtype).removeprefix("torch.")
    _check_kind(config, kind, field, checkpoint.id)
    return Architecture(checkpoint.id, kind_of(config), config, "its own config", stored, size)


def _read_config(checkpoint: Checkpoint, folder: Path) -> Any:
    from transformers import AutoConfig

    gguf = {"gguf_file": checkpoint.file} if checkpoint.file else {}
    if not gguf:
        read_json(folder / "config.json")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **gguf)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder}: its config cannot be used: {error}") from error


def _check_kind(config: Any, kind: Kind, field: str, name: str) -> None:
    found = kind_of(config)
    if found not in _ALLOWED.get(kind, (kind,)):
        raise CheckpointError(
            f"{field} is {name}, which is {_KIND_WORDS[found]}; allowed here: {_KIND_WORDS[kind]}"
        )


def kind_of(config: Any) -> Kind:
    """What a config is that of."""
    if isinstance(config, Mapping):
        return "diffusion"
    if config.model_type in BACKBONES:
        return "blip-2"
    if config.model_type == "llava":
        return "llava"
    return "image-text" if is_image_text(config) else "language"


def is_image_text(config: Any) -> bool:
    """Whether a config is that of a model that answers about pictures."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN

    return config.model_type in KNOWN
