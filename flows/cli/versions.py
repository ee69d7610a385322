"""What `foundry --version` says: the release, its commit, and the libraries that results hang on."""

import platform
from importlib.metadata import PackageNotFoundError, version

from blip_core.wiring import git_commit

LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "diffusers",
    "bitsandbytes",
    "datasets",
    "pyarrow",
    "pillow",
    "prefect",
    "mlflow",
)


def version_lines() -> list[str]:
    """One line a fact; nothing is imported to learn it."""
    found = [f"{name} {_version(name)}" for name in LIBRARIES]
    return [
        f"foundry {version('blip-foundry')}",
        f"commit {git_commit() or 'unknown: this is neither a checkout nor a release'}",
        f"Python {platform.python_version()}",
        *found,
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
