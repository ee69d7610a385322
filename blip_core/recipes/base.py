"""What all sections of a recipe share."""

from collections.abc import Set
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blip_core.errors import RecipeError
from blip_core.kinds import kind_of

MAX_SEED = 2**32 - 1

Quantisation = Literal["none", "int8", "nf4"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]
BatchSize = Annotated[int, Field(ge=1, le=4096)]
NewTokens = Annotated[int, Field(ge=1, le=4096)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
TopP = Annotated[float, Field(gt=0.0, le=1.0)]


def _known_task(task: str) -> str:
    try:
        return kind_of(task).name
    except RecipeError as error:
        raise ValueError(str(error)) from None


Task = Annotated[str, AfterValidator(_known_task)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]


class Section(BaseModel):
    """A frozen part of a recipe that knows all its fields and refuses others."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )


def check_placeholders(field: str, text: str, required: Set[str], optional: Set[str] = frozenset()) -> None:
    """Refuse a prompt that lacks a placeholder or has an unknown one.

    Args:
        field: where the prompt stands in a recipe.
        text: the prompt.
        required: placeholders that it has to have.
        optional: those that it may have besides.

    Raises:
        ValueError: The prompt cannot be filled in; the message names the field and the placeholders.
    """
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{field} has a stray brace ({error}); a plain one is doubled") from error
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError(
            f"{field} formats a placeholder; allowed are plain ones: {_braced(required | optional) or 'none'}"
        )
    found = {name for _, name, _, _ in parts if name is not None}
    missing, unknown = required - found, found - required - optional
    if missing:
        raise ValueError(f"{field} must contain {_braced(missing)}; it does not")
    if unknown:
        allowed = _braced(required | optional) or "none"
        raise ValueError(f"{field} contains {_braced(unknown)}, which nothing fills in; allowed: {allowed}")


def _braced(names: Set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
