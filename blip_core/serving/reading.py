"""The body of a request: JSON in OpenAI's form, of which one message about one picture is kept.

What is asked for and not done here is refused by its name; what changes no answer, as a seed where nothing is
sampled, is passed over.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blip_core import strict_json
from blip_core.errors import RequestRefused
from blip_core.serving.limits import Limits
from blip_core.sources.pictures import upright

MOST_TOP_LOGPROBS = 20  # as many as the protocol allows
_TEXTS = ("text", "input_text")
_PICTURES = ("image_url", "input_image")
_INSTRUCTIONS = ("system", "developer")
_UNDONE: Mapping[str, Sequence[Any]] = {
    "n": (None, 1),
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "logit_bias": (None, {}),
    "stop": (None, "", []),
    "audio": (None,),
}
"""Parameters that would change an answer and are not heeded, with the values that ask for nothing."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a body asks for.

    Attributes:
        model: name of the model.
        text: what the message says.
        picture: encoded bytes, checked; empty where the message shows none.
        top_logprobs: alternatives that are to be told of each token; None where no probabilities are.
        max_tokens: longest answer; None, as long as the model writes.
        stream: whether the answer comes as events.
        tells_usage: whether a stream ends with its tokens.
    """

    model: str
    text: str
    picture: bytes
    top_logprobs: int | None = None
    max_tokens: int | None = None
    stream: bool = False
    tells_usage: bool = False


def read_request(body: bytes, limits: Limits) -> ChatRequest:
    """Read a body and make sure that its picture can be decoded.

    Raises:
        RequestRefused: It is no JSON, no such request, or asks for what is not done here.
        PictureError: The picture cannot be read.
    """
    asked = _object(body)
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise RequestRefused("model is missing: name the one that GET /v1/models lists", param="model")
    for name, harmless in _UNDONE.items():
        if asked.get(name) not in harmless:
            raise RequestRefused(f"{name} is not supported here: leave it out", param=name)
    stream, tells_usage = _stream(asked)
    text, address = _message(asked.get("messages"))
    if len(text) > limits.text_chars:
        raise RequestRefused(
            f"the text has {len(text):,} characters and at most {limits.text_chars:,} are read: shorten it",
            code="context_length_exceeded",
            param="messages",
        )
    picture = read_picture(address) if address else b""
    return ChatRequest(model, text, picture, _top_logprobs(asked), _max_tokens(asked), stream, tells_usage)


def read_picture(address: str) -> bytes:
    """The bytes of a picture in a data address, decoded and kept as those of tables are.

    Raises:
        RequestRefused: It is another address, not Base64, or holds several pictures.
        PictureError: It is no picture, or beyond the limits.
    """
    head, comma, encoded = address.partition(",")
    if not (head[:5].lower() == "data:" and comma and head.lower().endswith(";base64")):
        raise _refused_picture(
            "pictures are taken from data addresses alone (data:image/png;base64,...): nothing is fetched"
        )
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refused_picture("the picture's Base64 is damaged or cut short: send it whole") from None
    picture = upright(data, "the picture")
    if picture.flag:
        raise _refused_picture("the file holds several pictures, as an animation does: send the one meant")
    return picture.data


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        asked = strict_json.loads(body)
    except (ValueError, RecursionError):
        raise RequestRefused("the body is no JSON: send one object in UTF-8", code="invalid_json") from None
    if not isinstance(asked, Mapping):
        raise RequestRefused('the body is no JSON object: send {"model": ..., "messages": [...]}')
    return asked


def _message(messages: Any) -> tuple[str, str]:
    """Text and picture's address of the one message of the user; instructions to a system are not read."""
    if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
        raise _refused("messages is missing or no list of objects: send one message of the role user")
    asking = [one for one in messages if one.get("role") not in _INSTRUCTIONS]
    if len(asking) != 1 or asking[0].get("role") != "user":
        raise _refused(
            "there has to be one message of the role user: the model reads one question and remembers none"
        )
    content = asking[0].get("content")
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        raise _refused("content is missing: send a text, or a list of a picture and a text")
    parts = list(_parts(content))
    pictures = [value for kind, value in parts if kind == "picture"]
    if len(pictures) > 1:
        raise _refused(
            f"the message shows {len(pictures)} pictures and the model sees one: send the one meant"
        )
    return "\n".join(value for kind, value in parts if kind == "text"), "".join(pictures)


def _parts(content: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in _TEXTS and isinstance(part.get("text"), str):
            yield "text", part["text"]
        elif kind in _PICTURES:
            address = part.get("image_url")
            address = address.get("url") if isinstance(address, Mapping) else address
            if not isinstance(address, str) or not address:
                raise _refused_picture("a part of the type image_url has no url")
            yield "picture", address
        else:
            raise _refused("a part of content is neither a text nor an image_url: the model takes no other")


def _top_logprobs(asked: Mapping[str, Any]) -> int | None:
    wanted, count = asked.get("logprobs"), asked.get("top_logprobs")
    if wanted not in (None, False, True):
        raise RequestRefused("logprobs is neither true nor false", param="logprobs")
    if count is not None and not _is_count(count, 0, MOST_TOP_LOGPROBS):
        raise RequestRefused(
            f"top_logprobs is no whole number between 0 and {MOST_TOP_LOGPROBS}", param="top_logprobs"
        )
    if count and not wanted:
        raise RequestRefused("top_logprobs needs logprobs to be true", param="top_logprobs")
    return (count or 0) if wanted else None


def _stream(asked: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the answer comes as a stream, and whether that tells tokens at its end."""
    stream, options = asked.get("stream"), asked.get("stream_options")
    if not (stream is None or isinstance(stream, bool)):
        raise RequestRefused("stream is neither true nor false", param="stream")
    if options is None:
        return bool(stream), False
    if not stream:
        raise RequestRefused("stream_options needs stream to be true", param="stream_options")
    wanted = options.get("include_usage") if isinstance(options, Mapping) else ""
    if not (wanted is None or isinstance(wanted, bool)):
        raise RequestRefused(
            "stream_options is no object with include_usage true or false", param="stream_options"
        )
    return True, bool(wanted)


def _max_tokens(asked: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        most = asked.get(name)
        if most is not None and not _is_count(most, 1, None):
            raise RequestRefused(f"{name} is no whole number from 1 on", param=name)
        if most is not None:
            return int(most)
    return None


def _is_count(value: Any, least: int, most: int | None) -> bool:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and value >= least and (most is None or value <= most)


def _refused(words: str) -> RequestRefused:
    return RequestRefused(words, param="messages")


def _refused_picture(words: str) -> RequestRefused:
    return RequestRefused(words, code="invalid_image", param="messages")
