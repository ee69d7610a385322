"""Models behind a server that speaks OpenAI's chat completions protocol, such as vLLM, SGLang or Ollama."""

from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    Discriminator,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from blip_core.recipes.base import Section
from blip_core.recipes.checkpoint import Checkpoint

FOR_KEYS = "for keys"
"""Context of a dump that tells what decides answers, and leaves out how they are fetched."""

ThinkingTokens = Annotated[int, Field(ge=0, le=131_072)]

_VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"
_DECIDING = ("served_model", "thinking_tokens", "structured")  # who answers stands in the model's identity
_OF_SERVERS = ("url", "served_model")


class Server(Section):
    """Where a model is served, and by what name."""

    url: str = Field(min_length=1)
    """Address without /chat/completions at its end, for example http://127.0.0.1:8000/v1."""
    served_model: str = Field(min_length=1, max_length=400)
    """Name that the server knows the model by."""
    key_variable: str = Field(default="", pattern=_VARIABLE, max_length=100)
    """Environment variable that holds the server's key; if empty, no key is sent."""

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        _check_address(self.url)
        return self


class ServedModel(Server):
    """A model behind a server, in place of a checkpoint: a table that has a `url`."""

    thinking_tokens: ThinkingTokens = 0
    """Tokens it may think beside max_new_tokens; 0 asks the server to switch thinking off."""
    structured: bool = True
    """Whether answers are asked for as JSON by a schema; where the server cannot, as text that is parsed."""
    requests_at_once: int = Field(default=8, ge=1, le=1_024)
    """Requests under way at the same time; servers batch what arrives together."""
    max_requests: int = Field(default=0, ge=0, le=1_000_000_000)
    """Requests that a stage may make in one run, repeated ones counted; 0 sets no limit."""
    max_seconds: float = Field(default=0.0, ge=0.0, le=1e8)
    """Seconds that a stage may ask in one run; 0 sets no limit."""
    told: str = Field(default="", exclude_if=lambda told: not told)
    """What the server tells of the model; set by a run, never written."""

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        whole: dict[str, Any] = dump(self)
        return {name: whole[name] for name in _DECIDING} if info.context == FOR_KEYS else whole


def _how_given(value: Any) -> str:
    names = value if isinstance(value, Mapping) else ()
    return (
        "server" if isinstance(value, ServedModel) or any(name in names for name in _OF_SERVERS) else "here"
    )


TextModel = Annotated[
    Annotated[Checkpoint, Tag("here")] | Annotated[ServedModel, Tag("server")], Discriminator(_how_given)
]
"""A model that writes: a checkpoint that is loaded here, or one that a server works."""


def loaded_here(model: TextModel) -> Checkpoint:
    """The checkpoint of a stage that loads its model.

    Raises:
        TypeError: A server works the model.
    """
    if isinstance(model, Checkpoint):
        return model
    raise TypeError(f"{model.served_model} is not loaded here: it stands behind {model.url}")


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
