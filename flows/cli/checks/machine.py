"""Python, packages, disk, memory and GPU."""

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import flows
from flows.cli.checks.finding import Case, Finding, shortened

PACKAGE = "blip-foundry"
INSTALL = "make install"
DISK_PROBLEM_BYTES = (
    1_000_000_000  # the store, MLflow and Prefect all write; below this a run may end half-way
)
DISK_WARNING_BYTES = 10_000_000_000  # less than any one of the real checkpoints
MEMORY_WARNING_BYTES = 2_000_000_000  # a pocket run takes 1.3 GB at its peak
TOLERANCE = 0.1  # NF4 keeps 16 values of a weight: a number of size 1 moves by less than this

_CONSTRAINTS = Path(flows.__file__).parents[1] / "constraints.txt"
_DRIVER = Path("/proc/driver/nvidia/version")
_GB = 1e9


def python(case: Case) -> Iterator[Finding]:
    """Whether this Python is one that the package admits."""
    try:
        admitted = metadata(PACKAGE)["Requires-Python"]
    except PackageNotFoundError:
        yield Finding("Python", "problem", f"{PACKAGE} is not installed in {sys.prefix}", INSTALL)
        return
    present = platform.python_version()
    if SpecifierSet(admitted).contains(present, prereleases=True):
        yield Finding("Python", "ok", f"{present} at {sys.executable}")
    else:
        yield Finding(
            "Python", "problem", f"{present}, but {admitted} is needed", f"{INSTALL} PYTHON=/path/to/python"
        )


def packages(case: Case) -> Iterator[Finding]:
    """Whether the stack is there, in versions that are admitted and, better, in those that were tested."""
    try:
        needed = [Requirement(text) for text in requires(PACKAGE) or []]
    except PackageNotFoundError:
        return  # said already of Python
    wrong = [text for need in needed if _applies(need) and (text := _mismatch(need))]
    if wrong:
        yield Finding("packages", "problem", shortened(wrong), INSTALL)
        return
    others = _untested()
    if others:
        said = f"allowed, but other than what was tested: {shortened(others)}"
        yield Finding("packages", "warning", said, f"{INSTALL}, if something behaves oddly")
        return
    count = sum(_applies(need) for need in needed)
    tested = "the tested versions" if _CONSTRAINTS.exists() else "admitted versions"
    yield Finding("packages", "ok", f"{count} direct requirements in {tested}")


def _applies(need: Requirement) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": ""})


def _mismatch(need: Requirement) -> str:
    try:
        present = version(need.name)
    except PackageNotFoundError:
        return f"{need.name} is missing"
    return (
        ""
        if need.specifier.contains(present, prereleases=True)
        else f"{need.name} {present} is not {need.specifier}"
    )


def _untested() -> list[str]:
    """Packages whose version differs from the constraints; those that are not here are left out."""
    if not _CONSTRAINTS.exists():
        return []
    pins = [
        line.split("==") for line in _CONSTRAINTS.read_text(encoding="utf-8").splitlines() if "==" in line
    ]
    found = []
    for name, pinned in pins:
        try:
            present = Version(version(name)).public
        except PackageNotFoundError:
            continue
        if present != Version(pinned).public:
            found.append(f"{name} {present} instead of {pinned}")
    return found


def disk(case: Case) -> Iterator[Finding]:
    """Free room where the store lies."""
    home = case.place.home
    free = shutil.disk_usage(home).free
    said = f"{free / _GB:.1f} GB free at {home}"
    remedy = "make room, or name a folder on another disk in FOUNDRY_HOME"
    if free < DISK_PROBLEM_BYTES:
        yield Finding("disk", "problem", said, remedy)
    elif free < DISK_WARNING_BYTES:
        yield Finding("disk", "warning", f"{said}; enough for the pocket profile only", remedy)
    else:
        yield Finding("disk", "ok", said)


def memory(case: Case) -> Iterator[Finding]:
    """Free memory."""
    import psutil

    now = psutil.virtual_memory()
    said = f"{now.available / _GB:.1f} of {now.total / _GB:.1f} GB available"
    if now.available < MEMORY_WARNING_BYTES:
        yield Finding("memory", "warning", said, "end other programs before a run")
    else:
        yield Finding("memory", "ok", said)


def gpu(case: Case) -> Iterator[Finding]:
    """Whether torch sees a GPU, and whether the recipe needs one."""
    import torch

    driver = _driver()
    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        named = ", ".join(f"{card.name} ({card.total_memory / _GB:.0f} GB)" for card in cards)
        yield Finding("GPU", "ok", f"{named}; torch {torch.__version__}, CUDA {torch.version.cuda}{driver}")
        return
    needed = case.recipe is not None and case.recipe.device.kind == "cuda"
    if driver:
        said = f"torch {torch.__version__} does not see the GPU{driver}"
        remedy = "install a CUDA build of torch that this driver supports"
        yield Finding("GPU", "problem" if needed else "warning", said, remedy)
    elif needed:
        remedy = "take the profile pocket, or --set device.kind=cpu for small models"
        yield Finding("GPU", "problem", "none, but the recipe's device.kind is cuda", remedy)
    else:
        yield Finding("GPU", "ok", f"none; the pocket profile needs none (torch {torch.__version__})")


def _driver() -> str:
    """The driver's version as a tail of a sentence; empty where there is no NVIDIA driver."""
    if not _DRIVER.exists():
        return ""
    words = _DRIVER.read_text(encoding="utf-8").split()
    found = next((word for word in words if word[0].isdigit() and "." in word), "unknown")
    return f", driver {found}"


def four_bit(case: Case) -> Iterator[Finding]:
    """Whether a linear layer of 2 x 2 weights in four bits gives nearly what it gives in full."""
    try:
        off = quantisation_error()
    except (ImportError, OSError, RuntimeError, AttributeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        yield Finding("4-bit weights", "problem", f"bitsandbytes does not work: {reason}", _FOUR_BIT_REMEDY)
        return
    if off <= TOLERANCE:
        yield Finding("4-bit weights", "ok", f"bitsandbytes {version('bitsandbytes')} computes")
    else:
        said = f"bitsandbytes {version('bitsandbytes')} computes wrongly (off by {off:.2f})"
        yield Finding("4-bit weights", "problem", said, _FOUR_BIT_REMEDY)


_FOUR_BIT_REMEDY = (
    f"{INSTALL}; or run without: --set finetune.quantisation=none --set inference.quantisation=none"
)


def quantisation_error() -> float:
    """Largest difference between a 2 x 2 linear layer in NF4 and in float32."""
    import torch
    from bitsandbytes.nn import Linear4bit, Params4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    weight = torch.tensor([[1.0, -1.0], [0.5, 0.0]])
    row = torch.tensor([[1.0, 0.5]])
    layer = Linear4bit(2, 2, bias=False, compute_dtype=torch.float32, quant_type="nf4")
    layer.weight = Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    with torch.no_grad():
        given = layer.to(device)(row.to(device)).cpu()
    return float((given - row @ weight.T).abs().max())
