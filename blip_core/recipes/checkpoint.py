"""Which weights a stage loads."""

import difflib
import re
from pathlib import PurePath
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section

Dtype = Literal["float32", "bfloat16", "float16"]

POCKET_PREFIX = "pocket/"
POCKET_MODELS = (
    "writer",
    "painter",
    "llava",
    "blip2-opt",
    "blip2-t5",
    "blip2-opt-captions",
    "blip2-llama",
    "instructblip",
    "clip",
    "reader",
)

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PATH_STARTS = ("/", "./", "../", "~")


class Checkpoint(Section):
    """A model: one of the bundled pocket family, a name on the hub, or a local folder.

    A bare string stands for its id alone. A path to a GGUF file is split into folder and file.
    """

    id: str = Field(min_length=1)
    """Bundled model (`pocket/NAME`), hub id (`owner/name`) or folder (starting with /, ./, ../ or ~)."""
    revision: str | None = None
    """Commit or tag on the hub; if absent, the lock file's commit, or else the newest."""
    file: str | None = None
    """Name of a GGUF file inside the folder or repository; language models only."""
    dtype: Dtype = "float32"
    """Type the weights are loaded in."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        value = {"id": value} if isinstance(value, str) else value
        if not isinstance(value, dict) or "file" in value:
            return value
        path = value.get("id")
        if not isinstance(path, str) or not path.lower().endswith(".gguf"):
            return value
        pure = PurePath(path)
        folder = str(pure.parent)
        folder = folder if folder.startswith(_PATH_STARTS) else f"./{folder}"
        return value | {"id": folder, "file": pure.name}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_pocket:
            _check_pocket_name(self.id)
        elif not self.is_local and not _HUB_ID.fullmatch(self.id):
            raise ValueError(
                f"checkpoint {self.id!r} is neither a hub id (owner/name) nor a path; "
                "a path starts with /, ./, ../ or ~"
            )
        if self.revision is not None and (self.is_local or self.is_pocket):
            raise ValueError(f"id is {self.id!r} and revision {self.revision!r}: only hub ids have revisions")
        return self

    @property
    def is_pocket(self) -> bool:
        return self.id.startswith(POCKET_PREFIX)

    @property
    def is_local(self) -> bool:
        """Whether the id is written as a path."""
        return self.id == "." or self.id.startswith(_PATH_STARTS)

    @property
    def is_of_hub(self) -> bool:
        return not (self.is_pocket or self.is_local)


def _check_pocket_name(model_id: str) -> None:
    name = model_id.removeprefix(POCKET_PREFIX)
    if name in POCKET_MODELS:
        return
    near = difflib.get_close_matches(name, POCKET_MODELS, n=1)
    hint = f"; did you mean {POCKET_PREFIX}{near[0]}?" if near else "."
    family = ", ".join(POCKET_PREFIX + known for known in POCKET_MODELS)
    raise ValueError(f"the pocket family has no {model_id!r}{hint} It has {family}")
