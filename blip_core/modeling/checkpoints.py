"""Where a checkpoint lies, and whether it is safe to load."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from blip_core.errors import CheckpointError
from blip_core.lfs import ADVICE, is_lfs_pointer_file
from blip_core.modeling.backbones import QFORMER_TOKENIZER, backbone_in
from blip_core.recipes.checkpoint import POCKET_PREFIX, Checkpoint

_INDEXES = "*.safetensors.index.json"  # of transformers or diffusers


def locate(checkpoint: Checkpoint, models_dir: Path, pocket_dir: Path) -> Path:
    """Folder of a checkpoint on this machine.

    Args:
        checkpoint: what the recipe asks for.
        models_dir: where snapshots from the hub lie, as `models_dir/owner/name`.
        pocket_dir: where the bundled family lies, as `pocket_dir/name`.

    Raises:
        CheckpointError: There is no such folder.
    """
    if checkpoint.is_pocket:
        return _existing(
            pocket_dir / checkpoint.id.removeprefix(POCKET_PREFIX), checkpoint, "reinstall blip-foundry"
        )
    if checkpoint.is_local:
        return _existing(
            Path(checkpoint.id).expanduser(), checkpoint, "give the path of a folder that exists"
        )
    folder = models_dir / checkpoint.id
    name = (
        checkpoint.id if checkpoint.revision is None else f"{checkpoint.id} at revision {checkpoint.revision}"
    )
    return _existing(
        folder,
        checkpoint,
        f"runs work offline: fetch it with `foundry prefetch`, or put a snapshot of {name} there",
    )


def _existing(folder: Path, checkpoint: Checkpoint, remedy: str) -> Path:
    if folder.is_dir():
        return folder
    raise CheckpointError(f"checkpoint {checkpoint.id!r} is not at {folder}; {remedy}")


def check_checkpoint_folder(
    folder: Path, architectures: Sequence[str] = (), allowed: str = ""
) -> dict[str, Any]:
    """Refuse a folder that cannot be loaded, or not safely; opens every weight file, loads none.

    Args:
        folder: a folder as `save_pretrained` leaves it.
        architectures: what its config may name; none, a BLIP-2 or InstructBLIP.
        allowed: these in words, where they are too many to list.

    Returns:
        Its config.

    Raises:
        CheckpointError: No readable config, code of its own, no safetensors, a damaged or missing shard,
            a git-lfs pointer in the place of a file, or another architecture.
    """
    files = [*sorted(folder.glob("*")), *sorted((folder / QFORMER_TOKENIZER).glob("*"))]
    refuse_lfs_pointers(files)
    config = read_json(folder / "config.json")
    for path in (path for path in files if path.suffix == ".json"):
        refuse_remote_code(path)
    found = config.get("architectures") or []
    if not architectures:
        backbone_in(folder, config)
    elif not set(found) & set(architectures):
        raise CheckpointError(
            f"{folder} holds {', '.join(found) or 'no named architecture'}; "
            f"allowed here: {allowed or ', '.join(architectures)}"
        )
    _check_weights(folder)
    return config


def refuse_lfs_pointers(paths: Iterable[Path]) -> None:
    """Refuse files that were never fetched; those that are missing are none.

    Raises:
        CheckpointError: One is a git-lfs pointer.
    """
    for path in paths:
        if path.is_file() and is_lfs_pointer_file(path):
            raise CheckpointError(f"{path} {ADVICE}")


def read_json(path: Path, kind: str = "model") -> dict[str, Any]:
    """Read a JSON object from a checkpoint folder of a kind.

    Raises:
        CheckpointError: it is missing, unreadable or no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.parent} has no {path.name}; is it a {kind} folder?") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object")
    return content


def read_parts(path: Path) -> list[str]:
    """Names of the classes that a file of sentence-transformers (`modules.json`) lists, in their order.

    Raises:
        CheckpointError: It cannot be read, or lists none.
    """
    try:
        return [str(one["type"]).rpartition(".")[2] for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def refuse_remote_code(path: Path) -> None:
    """Refuse a JSON file that asks for code of the checkpoint's own.

    Raises:
        CheckpointError: It does, or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if isinstance(content, dict) and "auto_map" in content:
        raise CheckpointError(
            f"{path} asks for code of its own (auto_map), which is never run; "
            "choose a checkpoint whose architecture transformers knows"
        )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that a model is loaded from: those of its index, or all that lie there."""
    return _indexed_shards(folder) or sorted(folder.glob("*.safetensors"))


def _check_weights(folder: Path) -> None:
    shards = weight_files(folder)
    if not shards:
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        seen = (
            f"only pickled weights ({', '.join(pickled)}), which are never read" if pickled else "no weights"
        )
        raise CheckpointError(f"{folder} holds {seen}; it needs *.safetensors")
    for shard in shards:
        check_safetensors(shard)


def _indexed_shards(folder: Path) -> list[Path]:
    names = {
        name for index in folder.glob(_INDEXES) for name in read_json(index).get("weight_map", {}).values()
    }
    return [folder / name for name in sorted(names)]


def check_safetensors(path: Path) -> None:
    """Open a weight file far enough to know that it is whole.

    Raises:
        CheckpointError: It is missing, cut short, a git-lfs pointer or no safetensors file.
    """
    refuse_lfs_pointers([path])
    try:
        with safe_open(path, framework="np"):
            return
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.parent} lacks its weight file {path.name}; fetch the folder again"
        ) from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch it again") from error
