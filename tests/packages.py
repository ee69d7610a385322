"""Packages of other people's, as an installer leaves them, or installed by one."""

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, str]
Parts = Mapping[str, Mapping[str, str]]

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def install(folder: Path, name: str, files: Files, parts: Parts, version: str = "1.0") -> None:
    """Lay modules and the metadata of a package into a folder that is on the path.

    Args:
        folder: made if need be.
        name: of the package.
        files: content of its modules by file name.
        parts: by group, as `gates`: what its entry points name.
        version: of the package.
    """
    for path, content in {**files, **_metadata(name, parts, version)}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def install_by_pip(folder: Path, name: str, files: Files, parts: Parts, version: str = "1.0") -> None:
    """Build a wheel of a package and let pip install it into a folder, without a network; see `install`."""
    metadata = _metadata(name, parts, version)
    info = next(iter(metadata)).partition("/")[0]
    content = {**files, **metadata, f"{info}/WHEEL": WHEEL}
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*content, f"{info}/RECORD"])
    wheel = folder.with_name(f"{_normalised(name)}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(wheel, "w") as file:
        for path, text in content.items():
            file.writestr(path, text)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-index", "--no-deps", "--no-compile", "--target", str(folder)]
    subprocess.run([*pip, *alone, str(wheel)], check=True)


def _metadata(name: str, parts: Parts, version: str) -> dict[str, str]:
    info = f"{_normalised(name)}-{version}.dist-info"
    groups = [
        f"[blip_foundry.{group}]\n" + "".join(f"{part} = {value}\n" for part, value in named.items())
        for group, named in parts.items()
    ]
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/entry_points.txt": "\n".join(groups),
    }


def _normalised(name: str) -> str:
    return name.replace("-", "_")
