"""What to tell of a server that refused, in the words of whoever can mend it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN_CHARS = 300
_SHOWN_MODELS = 10
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{1,300})", re.IGNORECASE)


def shown(body: str, secret: str = "") -> str:
    """The beginning of what a server said, of an error its message; a key that it repeats is not shown."""
    text = body.replace(secret, "***") if secret else body
    title = _TITLE.search(text)
    words = _message(text) or (title[1] if title else "") or text
    return " ".join(words.split())[:_SHOWN_CHARS]


def _message(body: str) -> str:
    """The message of an error in JSON; empty where the body is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return next(filter(None, _messages(told)), "")


def _messages(told: Any) -> Sequence[str]:
    if not isinstance(told, Mapping):
        return ()
    error = told.get("error")
    inner = error.get("message") if isinstance(error, Mapping) else error
    return [text for text in (inner, told.get("message"), told.get("detail")) if isinstance(text, str)]


def remedy(status: int, model: str, served: Sequence[str], has_key: bool) -> str:
    """What may be done about a refusal, as a sentence; empty where that is not known.

    Args:
        status: of the response.
        model: the name that was asked for.
        served: names that the server lists; empty where it lists none.
        has_key: whether a key was sent.
    """
    if status in (401, 403):
        return "Is the key right?" if has_key else "It wants a key: key_variable names where it stands."
    if status == 413:
        return "The picture is too large for it."
    if status != 404 or model in served:
        return ""
    if not served:
        return "Is the address right? It ends before /chat/completions, mostly in /v1."
    more = f" and {len(served) - _SHOWN_MODELS} more" if len(served) > _SHOWN_MODELS else ""
    return f"It serves {', '.join(served[:_SHOWN_MODELS])}{more}, and not {model}."
