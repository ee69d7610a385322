"""The lock file: which commit of each hub checkpoint lies on this machine, and what its files are.

JSON, because a program writes it and people rather compare than edit it; replaced as a whole, so that a
reader sees the old one or the new one.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.errors import CheckpointError
from blip_core.prefetching.needs import Need

LOCK_NAME = "checkpoints.lock.json"
SCHEMA_VERSION = 1
LOCAL = "local"  # stands where a folder was copied by hand, so that nobody knows its commit
_SHOWN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file of a checkpoint.

    Attributes:
        size: in bytes.
        sha256: in hex.
        modified_ns: its time when it was found to be so; while size and time stay, it is not read again.
        made_from: name and sha256 of the pickled file that it was converted from; empty for all others.
    """

    size: int
    sha256: str
    modified_ns: int
    made_from: str = ""


@dataclass(frozen=True, slots=True)
class LockedCheckpoint:
    """What lies in the folder of one hub checkpoint.

    Attributes:
        commit: on the hub; empty for a folder that was copied by hand.
        revision: the tag or branch that was asked for; empty, the newest was meant.
        files: by name relative to the folder.
    """

    commit: str
    revision: str
    files: Mapping[str, LockedFile]

    @property
    def digest(self) -> str:
        """sha256 over the names and digests of all files, in hex."""
        lines = [f"{name} {file.sha256}" for name, file in sorted(self.files.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def version(self) -> str:
        """Commit and start of the digest: what changes when the weights do."""
        return f"{self.commit or LOCAL}-{self.digest[:_SHOWN_DIGITS]}"

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())

    def is_at(self, revision: str) -> bool:
        """Whether this is the revision that a recipe asks for; empty, any is."""
        return revision in ("", self.revision, self.commit)

    def covers(self, need: Need) -> bool:
        """Whether it has the kinds of weights, at the revision, that a recipe needs."""
        has_weights = any(name.endswith(".safetensors") for name in self.files)
        return (
            self.is_at(need.revision)
            and (has_weights or not need.safetensors)
            and set(need.gguf) <= set(self.files)
        )


def read_lock(path: Path) -> dict[str, LockedCheckpoint]:
    """Read a lock file: checkpoints by hub id; none where there is no file yet.

    Raises:
        CheckpointError: It is damaged or of another version.
    """
    try:
        content = strict_json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {content['schema_version']}, not {SCHEMA_VERSION}")
        return {name: _checkpoint(value) for name, value in content["checkpoints"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a lock file that can be read ({error}); move it away and prefetch again: "
            "what is already on the disk is checked, not downloaded again"
        ) from error


def write_lock(path: Path, checkpoints: Mapping[str, LockedCheckpoint]) -> None:
    """Replace a lock file; a crash leaves the old one or the new one."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "checkpoints": {name: asdict(value) for name, value in sorted(checkpoints.items())},
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(strict_json.dumps(content, indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _checkpoint(value: Mapping[str, Any]) -> LockedCheckpoint:
    files = {name: LockedFile(**file) for name, file in value["files"].items()}
    return LockedCheckpoint(value["commit"], value["revision"], files)
