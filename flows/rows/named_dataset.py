"""A dataset that a person names: its folder, its digest or key in the store, or the recipe that grew it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from blip_core.dataset.reading import DATA
from blip_core.errors import UnknownArtifact
from blip_core.store import Artifact, canonical_json
from blip_core.store.lineage import newest_first
from blip_core.store.manifest import MANIFEST, Manifest, record_file
from blip_core.wiring import workplace
from tasks.chosen import chosen

_KIND = "dataset"


@dataclass(frozen=True, slots=True)
class NamedDataset:
    """A dataset.

    Attributes:
        folder: that holds it.
        digest: of its files.
        artifact: as the store made it; None for a folder from elsewhere.
    """

    folder: Path
    digest: str
    artifact: Artifact | None


def named_dataset(name: str) -> NamedDataset:
    """The dataset of that name.

    Args:
        name: the folder of a dataset; else a key of the store, the name of a recipe, whose newest it is, or
            the beginning of a digest.

    Raises:
        UnknownArtifact: It is none of these.
        CorruptArtifact: The store's own is damaged.
    """
    folder = Path(name).expanduser().absolute()
    if (folder / DATA).is_dir():
        return _in_folder(folder)
    if folder.is_dir():
        raise UnknownArtifact(
            f"{folder} has no folder {DATA}; name the folder of a dataset, a digest or a recipe"
        )
    known = newest_first(workplace().store.artifacts(_KIND))
    named = [one.key for one in known if name in (one.key, one.metadata.get("recipe"))]
    key = named[0] if named else chosen(_KIND, name).key
    artifact = workplace().store.find(key)
    if artifact is None:
        raise UnknownArtifact(f"the dataset {name} is no longer in the store; foundry datasets lists what is")
    return NamedDataset(artifact.path, artifact.digest, artifact)


def _in_folder(folder: Path) -> NamedDataset:
    """A copy of what the store made keeps its digest; of another folder the files with rows give one."""
    if (folder / MANIFEST).is_file():
        manifest = Manifest.read(folder)
        manifest.check(folder)
        return NamedDataset(folder, manifest.digest, manifest.artifact(folder))
    files = sorted((folder / DATA).glob("*.parquet"))
    digests = {path.name: record_file(path).sha256 for path in files}
    return NamedDataset(folder, hashlib.sha256(canonical_json(digests).encode()).hexdigest(), None)
