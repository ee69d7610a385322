"""`--set section.field=value`: one field, its value written as TOML."""

import datetime
import re
from typing import Any

from blip_core.errors import RecipeError
from blip_core.recipes.reading import MAX_DEPTH, parse_toml

MAX_CHARS = 20_000  # prompts are the longest values
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_EXCERPT_CHARS = 100
_ADDRESS = re.compile(r"(https?://)[^\s'\",}]+", re.IGNORECASE)
_FORM = "write --set section.field=value, for example --set scenes.count=50"


def parse_override(text: str) -> dict[str, Any]:
    """Parse one override into a patch, nested as a recipe is.

    The value is TOML: `50`, `0.1`, `true`, `"text"`, `[..]`, `{..}`. What is no TOML value but plain text,
    such as a path or a model's name, is taken as text; so is a date.

    Raises:
        RecipeError: There is no key, no value, a value that starts as TOML and does not end as such, or one
            that no recipe could hold.
    """
    _check_text(text)
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals:
        raise RecipeError(f"--set {text}: there is no '='; {_FORM}")
    if not _KEY.fullmatch(key) or key.count(".") >= MAX_DEPTH:
        raise RecipeError(f"--set {text}: {key!r} is not a field name; {_FORM}")
    if not raw:
        raise RecipeError(f'--set {text}: there is no value; write "" for an empty text')
    patch: Any = _parse_value(text, raw)
    for part in reversed(key.split(".")):
        patch = {part: patch}
    return patch  # type: ignore[no-any-return]


def told_override(text: str) -> str:
    """An override as messages name it; addresses, which may hold a password or a key, are left out."""
    return "--set " + _ADDRESS.sub(r"\1...", text)


def _parse_value(text: str, raw: str) -> Any:
    try:
        parsed = parse_toml(f"value = {raw}")
    except ValueError as error:
        if raw[0] in "\"'[{":
            raise RecipeError(f"--set {text}: the value is not valid TOML ({error})") from error
        return raw
    value = parsed["value"]
    is_plain_text = len(parsed) > 1 or isinstance(value, datetime.date | datetime.time)
    return raw if is_plain_text else value


def _check_text(text: str) -> None:
    """Refuse what could not be kept: a recipe is written as UTF-8, and names files."""
    if len(text) > MAX_CHARS:
        start = text[:_EXCERPT_CHARS]
        raise RecipeError(f"--set {start!r}...: {len(text):,} characters, at most {MAX_CHARS:,} are read")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise RecipeError(f"--set {text!r}: it holds characters that no text file can; {_FORM}")
