"""Which artefact was made from which: the graph that a store's manifests draw."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from blip_core.store.artifact import Artifact
from blip_core.store.manifest import MANIFEST, plain_files

MADE_FROM = "made_from"


class Lineage:
    """Parents and children of artefacts.

    Args:
        artifacts: all that may be asked for, as `Store.artifacts` gives them.
    """

    def __init__(self, artifacts: Iterable[Artifact]) -> None:
        self._by_key = {artifact.key: artifact for artifact in artifacts}
        self._children: dict[str, list[Artifact]] = defaultdict(list)
        for artifact in self._by_key.values():
            for key in set((made_from(artifact) or {}).values()):
                self._children[key].append(artifact)

    def of_kind(self, kind: str) -> list[Artifact]:
        """Artefacts of one kind, newest first."""
        return newest_first(artifact for artifact in self._by_key.values() if artifact.kind == kind)

    def parents(self, artifact: Artifact) -> list[Artifact]:
        """What it was made from, as far as the store still holds it; without those that another implies."""
        named = dict.fromkeys((made_from(artifact) or {}).values())
        found = [self._by_key[key] for key in named if key in self._by_key]
        implied = {above.key for parent in found for above in self.ancestors(parent)}
        return [parent for parent in found if parent.key not in implied]

    def missing(self, artifact: Artifact) -> dict[str, str]:
        """Names and keys of what it was made from and the store no longer holds."""
        named = made_from(artifact) or {}
        return {name: key for name, key in named.items() if key not in self._by_key}

    def children(self, artifact: Artifact) -> list[Artifact]:
        """What was made from it, newest first; without what was made from another of its children."""
        made = self._children.get(artifact.key, ())
        return newest_first(child for child in made if artifact in self.parents(child))

    def ancestors(self, artifact: Artifact) -> list[Artifact]:
        """Everything it goes back to, nearest first."""
        found: dict[str, Artifact] = {}
        waiting = [artifact]
        while waiting:
            keys = (made_from(waiting.pop(0)) or {}).values()
            new = [key for key in keys if key in self._by_key and key not in {artifact.key, *found}]
            above = [self._by_key[key] for key in new]
            found |= {one.key: one for one in above}
            waiting += above
        return list(found.values())

    def ancestor(self, artifact: Artifact, kind: str) -> Artifact | None:
        """The nearest artefact of a kind that it goes back to."""
        return next((one for one in self.ancestors(artifact) if one.kind == kind), None)


def made_from(artifact: Artifact) -> Mapping[str, str] | None:
    """Names and store keys of what an artefact was made from; None where its manifest does not say."""
    named = artifact.metadata.get(MADE_FROM)
    if not isinstance(named, Mapping):
        return None
    return {str(name): str(key) for name, key in named.items()}


def made_at(artifact: Artifact) -> datetime:
    """When it was finished: the time of its manifest, which is written last."""
    if artifact.at is not None:
        return artifact.at
    return datetime.fromtimestamp((artifact.path / MANIFEST).stat().st_mtime, UTC)


def size_bytes(artifact: Artifact) -> int:
    """Size of its files."""
    if artifact.size is not None:
        return artifact.size
    return sum(path.stat().st_size for path in plain_files(artifact.path))


def newest_first(artifacts: Iterable[Artifact]) -> list[Artifact]:
    return sorted(artifacts, key=lambda artifact: (made_at(artifact), artifact.key), reverse=True)
