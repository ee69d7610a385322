"""The pocket family: small trained checkpoints of the real architectures, and the world they know."""

from importlib.resources import files
from pathlib import Path

MEMBERS = (
    "blip2-t5",
    "blip2-opt",
    "llava",
    "writer",
    "painter",
    "blip2-opt-captions",
    "blip2-llama",
    "instructblip",
    "clip",
    "reader",
)
_PREFIX = "pocket/"


def models_dir() -> Path:
    """Folder of the bundled checkpoints, one folder a member."""
    return Path(str(files("blip_core.pocket"))) / "models"


def checkpoint(name: str) -> Path:
    """Folder of a bundled checkpoint, named as recipes name it: `pocket/blip2-t5`."""
    member = name.removeprefix(_PREFIX)
    if not name.startswith(_PREFIX) or member not in MEMBERS:
        known = ", ".join(_PREFIX + known for known in MEMBERS)
        raise KeyError(f"no pocket checkpoint {name!r}; there are {known}")
    return models_dir() / member
