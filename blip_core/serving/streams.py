"""Answers as server-sent events, in the form of OpenAI's chunks.

The model answers a batch at once, so that all chunks are there together: a stream says the same as a
completion, in the form that a client asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from blip_core import strict_json

MEDIA_TYPE = "text/event-stream"
_END = "data: [DONE]\n\n"


def events(completion: Mapping[str, Any], with_usage: bool) -> str:
    """A completion as a stream.

    Args:
        completion: see `completions.completion`.
        with_usage: whether a last chunk tells tokens.
    """
    return "".join(f"data: {strict_json.dumps(one)}\n\n" for one in chunks(completion, with_usage)) + _END


def chunks(completion: Mapping[str, Any], with_usage: bool) -> Iterator[dict[str, Any]]:
    """Who speaks, what was described on the way, the text with its probabilities, why it ended, tokens."""
    (choice,) = completion["choices"]
    message = choice["message"]
    head = {name: completion[name] for name in ("id", "created", "model")} | {
        "object": "chat.completion.chunk"
    }
    usage = {"usage": None} if with_usage else {}

    def chunk(delta: Mapping[str, Any], logprobs: Any = None, reason: str | None = None) -> dict[str, Any]:
        told = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return {**head, "choices": [told], **usage}

    yield chunk({"role": message["role"], "content": "", "refusal": None})
    if "reasoning_content" in message:
        yield chunk({"reasoning_content": message["reasoning_content"]})
    yield chunk({"content": message["content"]}, choice["logprobs"])
    yield chunk({}, reason=choice["finish_reason"])
    if with_usage:
        yield {**head, "choices": [], "usage": completion["usage"]}
