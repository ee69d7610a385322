"""Answers in the form of OpenAI's chat completions, and errors in the form of its errors."""

import math
import time
import uuid
from typing import Any

from blip_core.errors import FoundryError, RequestRefused, UserMistake
from blip_core.inference.requests import Response
from blip_core.records import OPTION_LETTERS

NO_CHANCE = -9999.0  # what OpenAI tells of a token that is all but impossible
_SERVER_ERROR = 500
_BUSY = 429
_FORBIDDEN = (401, 403)


def completion(model: str, response: Response, top_logprobs: int | None) -> dict[str, Any]:
    """A response as one choice.

    Args:
        model: the name that it is served by.
        response: what the model said.
        top_logprobs: letters to tell probabilities of, likeliest first; None, none are told.
    """
    # Clients show what a model wrote on its way to the answer under this name.
    described = {"reasoning_content": response.description} if response.description else {}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": response.text, "refusal": None, **described},
        "finish_reason": "length" if response.is_cut else "stop",
        "logprobs": _logprobs(response, top_logprobs),
    }
    read, written = response.prompt_tokens, response.written_tokens
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def _logprobs(response: Response, top: int | None) -> dict[str, Any] | None:
    """Of the letter alone: what is written freely is told without."""
    if top is None or not response.chances:
        return None
    told: dict[str, float] = dict(zip(OPTION_LETTERS, map(_logarithm, response.chances), strict=False))
    likeliest = sorted(told, key=lambda letter: (-told[letter], letter))[:top]
    token = {**_token(response.text, told[response.text]), "top_logprobs": []}
    token["top_logprobs"] = [_token(letter, told[letter]) for letter in likeliest]
    return {"content": [token], "refusal": None}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _logarithm(chance: float) -> float:
    return math.log(chance) if chance > 0 else NO_CHANCE


def models(name: str, facts: dict[str, str], created: int) -> dict[str, Any]:
    """The list of the one model that is served."""
    entry = {"id": name, "object": "model", "created": created, "owned_by": "blip-foundry", **facts}
    return {"object": "list", "data": [entry]}


def refusal(error: Exception) -> RequestRefused:
    """An error as the one who asked is told it."""
    if isinstance(error, RequestRefused):
        return error
    if isinstance(error, UserMistake):
        return RequestRefused(str(error), param="messages")
    if isinstance(error, FoundryError):
        return RequestRefused(str(error), _SERVER_ERROR, "server_error")
    return RequestRefused("the model failed at this request; the server's log says why", 500, "server_error")


def error_body(error: RequestRefused) -> dict[str, Any]:
    """An error in OpenAI's form."""
    told = {
        "message": str(error),
        "type": _kind(error.status),
        "param": error.param or None,
        "code": error.code,
    }
    return {"error": told}


def _kind(status: int) -> str:
    if status >= _SERVER_ERROR:
        return "server_error"
    if status in _FORBIDDEN:
        return "authentication_error"
    return "rate_limit_error" if status == _BUSY else "invalid_request_error"
