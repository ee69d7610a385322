"""Checkpoints that ask for code of their own: refused at load, and here before gigabytes come in vain."""

import json
from pathlib import Path

from blip_core.errors import CheckpointError


def refuse_remote_code(folder: Path) -> None:
    """Refuse a folder whose JSON files ask for code of their own, or are none.

    The loader asks the same of every folder; it is not asked here, since it brings libraries along that fetch
    and run code from the hub where they may, and this process may reach the hub.

    Raises:
        CheckpointError: One does.
    """
    for path in sorted(folder.rglob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path} is not JSON: {error}") from error
        if isinstance(content, dict) and "auto_map" in content:
            raise CheckpointError(
                f"{path} asks for code of its own (auto_map), which is never run; "
                "choose a checkpoint whose architecture transformers knows"
            )
