"""`make gpu-pack`: download what a bare CUDA machine lacks, and leave it in a folder that is small enough."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.gpu.pack.repack import repack_bitsandbytes

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path("build/gpu-pack")
LIMIT_BYTES = 30_000_000
"""Working trees that travel to borrowed machines are bounded; the repository itself takes about as much."""

_PYTHON = "3.12"
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)] + ["manylinux2014_x86_64"]
_LINE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+) --hash=sha256:[0-9a-f]{64}")
_LEFT_OUT = {
    "prefect, mlflow": "the flows and the tracking; the library runs without them",
    "datasets": "writes datasets for the hub; imported where that is done",
    "gguf": "reads GGUF files of language models; none is measured",
    "openpyxl": "reads workbooks; imported where that is done",
    "rouge-score": "scores captions; imported where that is done",
    "torch, transformers, peft, accelerate, tokenizers, safetensors, pillow, pyarrow, scipy, statsmodels, "
    "matplotlib, rich, httpx": "in the image",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One package of the pack, and what it is there for."""

    name: str
    version: str
    why: str


def wanted(text: str) -> list[Wanted]:
    """Packages of a requirements file, each with the comment above it.

    Raises:
        SystemExit: A line is no pinned package with its digest, or nothing is said above it.
    """
    found, why = [], ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            why = line.removeprefix("#").strip()
            continue
        told = _LINE.fullmatch(line)
        if told is None or not why:
            sys.exit(f"{line!r}: wanted is NAME==VERSION --hash=sha256:DIGEST below a comment that says why")
        found.append(Wanted(told["name"], told["version"], why))
        why = ""
    return found


def build(folder: Path = FOLDER) -> int:
    """Fill a folder anew; gives its bytes.

    Raises:
        SystemExit: pip fails, or it is too large.
    """
    packages = wanted(REQUIREMENTS.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        _download(Path(name))
        for wheel in sorted(Path(name).glob("*.whl")):
            if wheel.name.startswith("bitsandbytes-"):
                repack_bitsandbytes(wheel, folder)
            else:
                shutil.copy(wheel, folder)
    (folder / "README.md").write_text(readme(packages, folder), encoding="utf-8")
    return check_size(folder)


def _download(place: Path) -> None:
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", _PYTHON]
    done = subprocess.run([*command, *platforms, "--dest", str(place), "-r", str(REQUIREMENTS)], check=False)
    if done.returncode != 0:
        sys.exit("pip could not download what the pack holds; what it says stands above")


def check_size(folder: Path, limit: int = LIMIT_BYTES) -> int:
    """Bytes of a pack.

    Raises:
        SystemExit: They are too many.
    """
    size = sum(file.stat().st_size for file in folder.iterdir())
    if size > limit:
        sys.exit(f"{folder} takes {size / 1e6:.1f} MB, more than the {limit / 1e6:.0f} that may travel")
    return size


def readme(packages: Sequence[Wanted], folder: Path) -> str:
    """What a pack holds and why, and how it is used."""
    sizes = {_plain(file.name.partition("-")[0]): file.stat().st_size for file in folder.glob("*.whl")}
    rows = [
        f"| {one.name} | {one.version} | {sizes[_plain(one.name)] / 1e6:.2f} | {one.why} |"
        for one in packages
    ]
    left = [f"- {names}: {why}" for names, why in _LEFT_OUT.items()]
    return "\n".join(
        [
            "# What a bare CUDA machine lacks",
            "",
            f"For Python {_PYTHON} on x86-64, beside torch and transformers that are there. Written by",
            "`make gpu-pack`; [docs/benchmarks/gpu.md](../../docs/benchmarks/gpu.md) says how it is used.",
            "",
            "| package | version | MB | why |",
            "| --- | --- | ---: | --- |",
            *rows,
            "",
            "Left out:",
            "",
            *left,
            "",
        ]
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


if __name__ == "__main__":
    sys.stdout.write(f"{FOLDER}: {build() / 1e6:.1f} MB of at most {LIMIT_BYTES / 1e6:.0f}\n")
