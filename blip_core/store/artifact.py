"""What the store holds under a key, and the small reference to it that travels."""

from collections.abc import Mapping
from dataclasses import dataclass
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
        path: its folder; whoever writes there damages it.
        digest: what it contains: sha256 over the names and digests of its files.
        rows: number of rows, as its maker counted them; 0 where it holds none.
        metadata: what its maker said of it.
    """

    key: str
    kind: str
    path: Path
    digest: str
    rows: int
    metadata: Mapping[str, Any]

    def ref(self) -> ArtifactRef:
        return ArtifactRef(key=self.key, digest=self.digest, rows=self.rows)
