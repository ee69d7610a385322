"""Writes the commit that a wheel or source archive is built from into it: `foundry --version` names it."""

import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WRITTEN = "blip_core/COMMIT"  # read by blip_core.wiring.environment


class CommitHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Adds one file to whatever is built; an editable installation asks git itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the commit before the files are gathered."""
        commit = "" if version == "editable" else _commit(Path(self.root))
        if not commit:
            return
        with NamedTemporaryFile("w", suffix="-commit", delete=False) as file:
            file.write(f"{commit}\n")
        self._written = Path(file.name)
        build_data["force_include"][file.name] = WRITTEN

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if hasattr(self, "_written"):
            self._written.unlink(missing_ok=True)


def _commit(root: Path) -> str:
    """The commit of a checkout, or nothing: an unpacked source archive holds the file already."""
    if not (root / ".git").exists():
        return ""
    asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
