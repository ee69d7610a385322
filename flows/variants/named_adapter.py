"""An adapter that a person names: by its folder, or by its digest in the store."""

from dataclasses import dataclass
from pathlib import Path

from blip_core.errors import UnknownArtifact
from blip_core.reporting.catalogue import ADAPTER_FOLDER
from blip_core.store import Artifact
from blip_core.wiring import workplace
from tasks.chosen import chosen

_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class NamedAdapter:
    """An adapter and, where the store holds it, its artefact."""

    folder: Path
    artifact: Artifact | None


def named_adapter(name: str) -> NamedAdapter:
    """The adapter of that name.

    Args:
        name: the folder of a PEFT adapter; else the beginning of an adapter's digest.

    Raises:
        UnknownArtifact: It is neither.
        CorruptArtifact: The store's own is damaged.
    """
    folder = Path(name).expanduser().absolute()
    if (folder / _CONFIG).is_file():
        return NamedAdapter(folder, None)
    if folder.is_dir():
        raise UnknownArtifact(f"{folder} has no {_CONFIG}; name the folder of a PEFT adapter, or a digest")
    artifact = workplace().store.find(chosen("adapter", name).key)
    if artifact is None:
        raise UnknownArtifact(f"the adapter {name} is no longer in the store; foundry adapters lists what is")
    return NamedAdapter(artifact.path / ADAPTER_FOLDER, artifact)
