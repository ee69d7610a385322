"""Packages of other people's, as an installer leaves them."""

from collections.abc import Mapping
from pathlib import Path


def install(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    parts: Mapping[str, Mapping[str, str]],
    version: str = "1.0",
) -> None:
    """Lay modules and the metadata of a package into a folder that is on the path.

    Args:
        folder: made if need be.
        name: of the package.
        files: content of its modules by file name.
        parts: by group, as `gates`: what its entry points name.
    """
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = [
        f"[blip_foundry.{group}]\n" + "".join(f"{part} = {value}\n" for part, value in named.items())
        for group, named in parts.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    for file, content in files.items():
        (folder / file).write_text(content)
