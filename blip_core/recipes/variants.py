"""Which models are compared."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug
from blip_core.recipes.checkpoint import Checkpoint

AdapterKind = Literal["none", "own", "registered", "stored", "folder"]

CHAMPION = "champion"
ALIASES = (CHAMPION, "candidate")
REGISTRY_SCHEME = "models:/"
_REGISTERED = re.compile(r"models:/[^/@\s]+(@[^/@\s]+|/[0-9]+)")
_DIGEST = re.compile(r"[0-9a-f]{12,64}")
_VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"


class Variant(Section):
    """One model on the ladder."""

    name: Slug
    """Name on the ladder."""
    role: Literal["baseline", "base"]
    """What it stands for: another model to compare with, or the model that is tuned."""
    model: Checkpoint
    """Its checkpoint; a recipe may leave it out, then it is `baseline` or `finetune.base`, by its role."""
    adapter: bool | str = Field(default=False)
    """false: none; true: this run's; a text: a phase's, champion, models:/NAME@ALIAS, digest or folder."""
    phase: str = Field(default="", exclude_if=lambda phase: not phase)
    """The phase of this run that tuned it; set by the loader where `adapter` names one, or is true."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        text = self.adapter if isinstance(self.adapter, str) else "."
        if not text:
            raise ValueError("adapter is an empty text: write false for none")
        if text.startswith(REGISTRY_SCHEME) and not _REGISTERED.fullmatch(text):
            raise ValueError(
                f"adapter is {text!r}; of a registry it is models:/NAME@ALIAS or models:/NAME/VERSION"
            )
        if self.phase and self.adapter is not True:
            raise ValueError(f"phase is {self.phase!r}, but adapter is not true: name the phase in adapter")
        return self

    @property
    def adapter_kind(self) -> AdapterKind:
        """Where its adapter comes from; a folder that is named like another kind is written with ./ first."""
        if isinstance(self.adapter, bool):
            return "own" if self.adapter else "none"
        if self.adapter in ALIASES or self.adapter.startswith(REGISTRY_SCHEME):
            return "registered"
        return "stored" if _DIGEST.fullmatch(self.adapter) else "folder"


class ServerVariant(Section):
    """A model behind a server that speaks OpenAI's chat completions protocol, such as vLLM or SGLang."""

    name: Slug
    """Name on the ladder."""
    role: Literal["server"]
    """The model is not loaded here: a server answers."""
    url: str = Field(min_length=1)
    """Address without /chat/completions at its end, for example http://127.0.0.1:8000/v1."""
    served_model: str = Field(min_length=1, max_length=400)
    """Name that the server knows the model by."""
    key_variable: str = Field(default="", pattern=_VARIABLE, max_length=100)
    """Environment variable that holds the server's key; if empty, no key is sent."""
    answer_tokens: int = Field(default=32, ge=1, le=4_096)
    """Longest answer, in tokens: room for a sentence that names a letter."""
    thinking_tokens: int = Field(default=0, ge=0, le=131_072)
    """Tokens that a reasoning model may think before a description or an answer: room beside theirs."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_address(self.url)
        return self

    @property
    def adapter(self) -> Literal[False]:
        """None that is known here: a server answers with what it was started with."""
        return False


AnyVariant = Annotated[Variant | ServerVariant, Field(discriminator="role")]


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("url is not an address; write it as http://127.0.0.1:8000/v1") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "url holds more than an address: a key stands in an environment variable that key_variable names"
        )
    if parts.scheme not in ("http", "https") or not has_host:
        raise ValueError(f"url is {url!r}; allowed: an address such as http://127.0.0.1:8000/v1")
