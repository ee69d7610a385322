"""Content-addressed artefacts: keys, atomic publishing, verification, and the Parquet that they hold."""

from blip_core.store.artifact import Artifact, ArtifactRef
from blip_core.store.keys import CODE_VERSIONS, canonical_json, content_key
from blip_core.store.rows import iter_rows, read_rows, write_rows
from blip_core.store.store import Store

__all__ = [
    "CODE_VERSIONS",
    "Artifact",
    "ArtifactRef",
    "Store",
    "canonical_json",
    "content_key",
    "iter_rows",
    "read_rows",
    "write_rows",
]
