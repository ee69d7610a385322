"""What the store holds under a key, and the small reference to it that travels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_NAMED_BEFORE = "path"


class ArtifactRef(BaseModel):
    """A reference to an artefact: all that travels between tasks, the same on every machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    digest: str
    rows: int

    @model_validator(mode="before")
    @classmethod
    def _without_folder(cls, values: Any) -> Any:
        """References that earlier versions kept name a folder of their machine, too."""
        if not isinstance(values, Mapping):
            return values
        return {name: value for name, value in values.items() if name != _NAMED_BEFORE}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A complete folder in the store.

    Attributes:
        key: what it was made from, see `Store.key`.
        kind: what it holds, for instance `scenes`.
        folder: where it lies on this machine, or would lie once somebody reads it.
        digest: what it contains: sha256 over the names and digests of its files.
        rows: number of rows, as its maker counted them; 0 where it holds none.
        metadata: what its maker said of it.
        at: when it was finished; None, its manifest's time tells.
        size: of its files in bytes; None, the files tell.
        fetch: brings it here, where the store is elsewhere and it was merely listed.
    """

    key: str
    kind: str
    folder: Path
    digest: str
    rows: int
    metadata: Mapping[str, Any]
    at: datetime | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)
    fetch: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> Path:
        """Its folder on this machine, with all its files; whoever writes there damages it.

        Raises:
            StoreError: It is not here, and can no longer be fetched.
        """
        if self.fetch is not None:
            self.fetch()
        return self.folder

    def ref(self) -> ArtifactRef:
        return ArtifactRef(key=self.key, digest=self.digest, rows=self.rows)
