"""Pickled weights to safetensors, in a separate process that can do little harm."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from blip_core import strict_json
from blip_core.errors import CheckpointError
from blip_core.prefetching.conversion_process import memory_limit, time_limit_s
from blip_core.prefetching.selecting import converted_name

_MODULE = "blip_core.prefetching.conversion_process"
_INDEX = ".index.json"
_WHOLE = {"model.safetensors", "diffusion_pytorch_model.safetensors"}
_SPARE_SECONDS = 60  # waiting for the disk counts in this, and not in CPU time
_ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # and nothing else: no token, no login, no home


def convert(folder: Path, name: str, limit_s: float | None = None) -> str:
    """Convert one pickled weight file, or the index of several; the pickled one stays.

    Args:
        folder: of the checkpoint.
        name: of the file in it.
        limit_s: seconds after which it is killed; by its size unless told otherwise.

    Returns:
        Name of the safetensors file.

    Raises:
        CheckpointError: It holds something else than tensors, or asks for too much memory or time.
    """
    source, converted = folder / name, converted_name(name)
    if name.endswith(_INDEX):
        _convert_index(source, folder / converted)
    else:
        _convert_weights(source, folder / converted, limit_s)
    return converted


def check_index(folder: Path, name: str) -> None:
    """Make sure that the shards of an index hold what it says.

    Raises:
        CheckpointError: A name is in another shard, or in none.
    """
    listed: Mapping[str, str] = json.loads((folder / name).read_text(encoding="utf-8"))["weight_map"]
    parent = (folder / name).parent
    held = {shard: _names(parent / shard) for shard in set(listed.values())}
    lost = [weight for weight, shard in listed.items() if weight not in held[shard]]
    if lost:
        raise CheckpointError(f"{folder / name} lists {lost[0]}, which {listed[lost[0]]} does not hold")


def has_whole_set(folder: Path) -> bool:
    """Whether a folder has a whole safetensors file, or an index with all its shards."""
    names = {path.name for path in folder.glob("*.safetensors")}
    if names & _WHOLE:
        return True
    indexes = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"*.safetensors{_INDEX}")]
    return any(set(index["weight_map"].values()) <= names for index in indexes)


def _convert_weights(source: Path, target: Path, limit_s: float | None) -> None:
    size = source.stat().st_size
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.unlink(missing_ok=True)
    command = [sys.executable, "-I", "-m", _MODULE, str(source), str(unfinished)]
    seconds = limit_s or time_limit_s(size) + _SPARE_SECONDS
    try:
        done = subprocess.run(
            command,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        unfinished.unlink(missing_ok=True)
        raise CheckpointError(_refused(source, f"took more than {seconds:.0f} s and was stopped")) from error
    if done.returncode:
        unfinished.unlink(missing_ok=True)
        raise CheckpointError(_refused(source, _reason(done, size)))
    _names(unfinished)
    unfinished.replace(target)


def _reason(done: subprocess.CompletedProcess[str], size: int) -> str:
    told = _told(done.stdout)
    text = told.get("text", "")
    if told.get("kind") == "UnpicklingError":
        return "holds something else than tensors, which is never unpickled"
    if told.get("kind") == "MemoryError" or "allocate memory" in text:
        return f"asks for more than {memory_limit(size) / 1e9:.1f} GB of memory, which is its limit"
    if done.returncode == -signal.SIGXCPU:
        return f"takes more than {time_limit_s(size)} s of CPU time, which is its limit"
    if text:
        return f"cannot be converted: {text.splitlines()[0]}"
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    last_words = done.stderr.strip().splitlines()[-1:]
    return f"cannot be converted; the process ended with {ended}: {' '.join(last_words)}"


def _told(output: str) -> dict[str, str]:
    try:
        told: dict[str, str] = strict_json.loads(output)
    except ValueError:  # it was stopped before it could speak
        return {}
    return told


def _refused(source: Path, reason: str) -> str:
    return f"{source.name} {reason}; choose a checkpoint that has safetensors"


def _names(path: Path) -> set[str]:
    try:
        with safe_open(path, framework="np") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch it again") from error


def _convert_index(source: Path, target: Path) -> None:
    content = json.loads(source.read_text(encoding="utf-8"))
    content["weight_map"] = {name: converted_name(shard) for name, shard in content["weight_map"].items()}
    target.write_text(strict_json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def in_order(names: Sequence[str]) -> list[str]:
    """Weights first, then the index that lists them."""
    return sorted(names, key=lambda name: (name.endswith(_INDEX), name))
