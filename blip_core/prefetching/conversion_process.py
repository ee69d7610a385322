"""The process that turns one pickled weight file into safetensors: `python -m ... SOURCE TARGET`.

A pickle can run code while it is read. `weights_only=True` refuses whatever is no tensor; should that ever
fail, this process has little memory, little time and no network, and starts no other. It ends with the one
that waits for it, and prints one JSON object where it fails.
"""

import ctypes
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.confining import forbid_other_programs, leave_network, limit

MEMORY_BYTES = 2 << 30  # for Python and torch themselves, which take some 0.2 GB; more on a CUDA build
MEMORY_FILES = 3  # the file mapped, its tensors, and what is written
CPU_SECONDS = 120  # for starting
CPU_BYTES_A_SECOND = 50 << 20
OPEN_FILES = 256

_PR_SET_PDEATHSIG = 1


def time_limit_s(size: int) -> int:
    """Seconds that a file of so many bytes may take."""
    return CPU_SECONDS + size // CPU_BYTES_A_SECOND


def memory_limit(size: int) -> int:
    """Bytes of memory that a file of so many bytes may take."""
    return MEMORY_BYTES + MEMORY_FILES * size


def main() -> None:
    """Convert; whatever goes wrong is told in one line to the process that waits."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    limit_resources(source.stat().st_size)
    leave_network()
    end_with_parent()
    import torch  # noqa: F401 - looks around on its machine, which is refused from the next line on

    forbid_other_programs("a weight file")
    try:
        convert_file(source, target)
    except Exception as error:  # noqa: BLE001 - told to whoever waits, who raises it
        sys.stdout.write(strict_json.dumps({"kind": type(error).__name__, "text": str(error)}))
        sys.exit(1)


def limit_resources(size: int) -> None:
    """Bound memory, CPU time, open files and what is written."""
    limit(resource.RLIMIT_DATA, memory_limit(size))
    limit(resource.RLIMIT_CPU, time_limit_s(size))
    limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    limit(resource.RLIMIT_FSIZE, MEMORY_FILES * size + MEMORY_BYTES)
    limit(resource.RLIMIT_CORE, 0)


def end_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def convert_file(source: Path, target: Path) -> None:
    """Write the tensors of a pickled file as safetensors.

    Tensors that share memory are written out each, so that no name is lost, whichever of them the model ties.

    Raises:
        TypeError: It holds something else than a table of named tensors.
    """
    import torch
    from safetensors.torch import save_file

    with source.open("rb") as file:
        is_archive = file.read(2) == b"PK"  # files older than torch 1.6 are not, and cannot be mapped
    content = torch.load(source, map_location="cpu", weights_only=True, mmap=is_archive)
    if not isinstance(content, dict) or not content:
        raise TypeError("it holds no table of named tensors")
    foreign = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if foreign:
        raise TypeError(f"{foreign[0]!r} is a {type(content[foreign[0]]).__name__}, not a tensor")
    seen: set[int] = set()
    tensors = {str(name): _own(value, seen) for name, value in content.items()}
    save_file(tensors, target, metadata={"format": "pt"})


def _own(tensor: Any, seen: set[int]) -> Any:
    """The tensor, contiguous, and in memory of its own where another one lies there already."""
    storage = tensor.untyped_storage().data_ptr()
    shared = storage in seen
    seen.add(storage)
    return tensor.clone().contiguous() if shared else tensor.detach().contiguous()


if __name__ == "__main__":
    main()
