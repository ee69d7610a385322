"""What a server answered, read from the many forms that chat completions take."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blip_core.backends.chat.thinking import answer_span
from blip_core.backends.chat.tokens import Chances, chances_by_place, read_tokens, written
from blip_core.ports import Written

Content = str | list[dict[str, Any]]

# Where servers put thinking that they tell apart: vLLM, SGLang and DeepSeek, OpenRouter, Ollama.
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_EVENT = "data:"
_LAST_EVENT = "[DONE]"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Attributes:
        text: the answer without what was thought before it, stripped.
        chances: probabilities of what might have been written in the text's places, by place; empty where
            the server does not tell, or where it cannot be said which token wrote what.
        is_cut: whether the longest answer was reached.
        is_refused: whether the model refused to answer, or a filter held the answer back.
        prompt_tokens: tokens that it read; 0 where it does not tell.
        written_tokens: tokens that it wrote; 0 where it does not tell.
        starts: where each token begins in the text; empty where the server tells no probabilities.
        log_probabilities: of those tokens.
    """

    text: str
    chances: Mapping[int, Chances] = field(default_factory=dict)
    is_cut: bool = False
    is_refused: bool = False
    prompt_tokens: int = 0
    written_tokens: int = 0
    starts: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    @property
    def written(self) -> Written:
        """The text with how likely its tokens were."""
        return Written(self.text, self.starts, self.log_probabilities)


def read_reply(body: str) -> Reply | None:
    """Read the body of a response; None where it is no chat completion.

    Contents are text, nothing, or a list of parts; thinking stands beside them, in parts of its own or within
    the text. Of several choices the first counts. A body of events, as servers stream it, is put together.
    """
    completion = _completion(body)
    choice = _first(completion.get("choices"))
    message = choice.get("message")
    if not isinstance(message, Mapping) or choice.get("error"):
        return None
    content, thought, refused = _parts(message)
    start, end = answer_span(content)
    tokens = read_tokens(choice.get("logprobs"))
    own = written(tokens, thought, content, start, end)
    finish = choice.get("finish_reason")
    return Reply(
        text=content[start:end],
        chances=chances_by_place(tokens, thought, content, start, end),
        is_cut=finish == "length",
        is_refused=refused or finish == "content_filter",
        prompt_tokens=_count(completion, "prompt_tokens"),
        written_tokens=_count(completion, "completion_tokens"),
        starts=own.starts,
        log_probabilities=own.log_probabilities,
    )


def _parts(message: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Content and thinking of a message, and whether it is a refusal."""
    content, thought = message.get("content"), next(filter(None, map(message.get, _THOUGHTS)), "")
    refused = bool(message.get("refusal"))
    if not isinstance(content, list):
        return _words(content), _words(thought), refused
    parts = [part if isinstance(part, Mapping) else {"type": "text", "text": part} for part in content]
    kinds = [part.get("type", "text") for part in parts]
    texts = [_words(part.get("text")) for part, kind in zip(parts, kinds, strict=True) if kind in _TEXTS]
    thoughts = [
        _words(part.get(kind) or part.get("text"))
        for part, kind in zip(parts, kinds, strict=True)
        if kind in ("thinking", "reasoning")
    ]
    return "".join(texts), _words(thought) or "".join(thoughts), refused or "refusal" in kinds


_TEXTS = ("text", "output_text")


def _words(value: Any) -> str:
    """A text, or the texts of a list of parts; empty for anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    return "".join(part if isinstance(part, str) else _text_of(part) for part in value)


def _text_of(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else ""


def _completion(body: str) -> Mapping[str, Any]:
    """The JSON object of a body, or of its events together; empty where it holds none."""
    text = body.lstrip("\ufeff \t\r\n")
    try:
        told = _together(text) if _is_streamed(text) else json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _is_streamed(text: str) -> bool:
    return text.startswith((_EVENT, "event:", "id:", ":"))


def _events(text: str) -> Iterator[Mapping[str, Any]]:
    """The objects of server-sent events, see https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    for line in text.splitlines():
        data = line.removeprefix(_EVENT).strip() if line.startswith(_EVENT) else ""
        if data and data != _LAST_EVENT:
            event = json.loads(data)
            yield event if isinstance(event, Mapping) else {}


def _together(text: str) -> dict[str, Any]:
    """One completion of the pieces that events bring; empty where the last one is missing."""
    message: dict[str, str] = {}
    tokens: list[Any] = []
    completion: dict[str, Any] = {}
    finish: Any = None
    for event in _events(text):
        if isinstance(event.get("usage"), Mapping):
            completion["usage"] = event["usage"]
        choice = _first(event.get("choices"))
        finish = choice.get("finish_reason") or finish
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, Mapping) and isinstance(logprobs.get("content"), list):
            tokens += logprobs["content"]
        for name, piece in _pieces(choice):
            message[name] = message.get(name, "") + piece
    if not finish and _LAST_EVENT not in text:
        return {}
    whole = {"message": {"content": "", **message}, "finish_reason": finish, "logprobs": {"content": tokens}}
    return {**completion, "choices": [whole]}


def _pieces(choice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    delta = choice.get("delta")
    if not isinstance(delta, Mapping):
        return
    for name in ("content", "refusal", *_THOUGHTS):
        if isinstance(delta.get(name), str):
            yield name, delta[name]


def _first(choices: Any) -> Mapping[str, Any]:
    """The choice of the lowest index; empty where there is none."""
    if not isinstance(choices, Sequence) or isinstance(choices, str):
        return {}
    found = [choice for choice in choices if isinstance(choice, Mapping)]
    return min(found, key=_index, default={})


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _count(completion: Mapping[str, Any], name: str) -> int:
    usage = completion.get("usage")
    count = usage.get(name) if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
