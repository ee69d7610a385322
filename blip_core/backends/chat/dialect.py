"""What a server was found to understand of the protocol's parameters."""

import json
import logging
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

TOP_LOGPROBS = 20  # as many as the protocol allows
FEWER_LOGPROBS = 5  # as many as servers allow that allow fewer
_LIMIT, _OTHER_LIMIT = "max_tokens", "max_completion_tokens"
_CHANCES = ("logprobs", "top_logprobs")
FORMAT = "response_format"
THINKING = "chat_template_kwargs"  # how vLLM, SGLang and `transformers serve` are told not to think
_TOO_MANY = re.compile(
    r"\b(?:max|maximum|most|greater|less|exceeds?|between|range|limit)\b|<=|≤", re.IGNORECASE
)
# What is least missed is left out first, where a refusal names several.
_LEAST_FIRST = (
    *("stream", "top_p", THINKING, "seed", "top_logprobs", "logprobs", FORMAT, "temperature"),
    _LIMIT,
)
# What may be meant by a refusal that names nothing, what is least missed first.
_UNNAMED: Sequence[tuple[str, ...]] = (_CHANCES, (THINKING,), (FORMAT,))
_FORMAT_WORDS = re.compile(r"json.?schema|response.?format|structured|guided|grammar", re.IGNORECASE)

logger = logging.getLogger(__name__)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """How requests differ from what they would be.

    Attributes:
        without: parameters that are left out.
        renamed: whether the longest answer goes by its other name.
        fewer: whether fewer alternatives are asked for.
        streamed: whether the answer is asked for as a stream.
    """

    without: frozenset[str] = frozenset()
    renamed: bool = False
    fewer: bool = False
    streamed: bool = False

    def apply(self, body: Mapping[str, Any]) -> Body:
        """A request's body with the change."""
        changed = {name: value for name, value in body.items() if name not in self.without}
        if self.renamed and _LIMIT in changed:
            changed[_OTHER_LIMIT] = changed.pop(_LIMIT)
        if self.fewer and "top_logprobs" in changed:
            changed["top_logprobs"] = FEWER_LOGPROBS
        if self.streamed:
            changed["stream"] = True
        return changed

    def drop(self, *names: str) -> "Change":
        """The change with further parameters left out."""
        return replace(self, without=self.without | set(names))

    def including(self, other: "Change") -> "Change":
        """Both changes together."""
        return Change(
            self.without | other.without,
            self.renamed or other.renamed,
            self.fewer or other.fewer,
            self.streamed or other.streamed,
        )


@dataclass
class Dialect:
    """What a server was found to understand; clients of one run share it, from any thread.

    Servers refuse a parameter that they do not know, or a value, and name it. The request is then sent
    without it; what made a server answer is kept for all requests that follow.

    Attributes:
        where: the server, as messages name it.
        change: how requests differ from what they would be.
        remarks: what was learnt, in words.
    """

    where: str
    change: Change = field(default_factory=Change)
    remarks: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def learn(self, change: Change) -> None:
        """Keep a change that made the server answer, and say so once."""
        with self._lock:
            before, self.change = self.change, self.change.including(change)
            told = list(_told(before, self.change))
            self.remarks += told
        for words in told:
            logger.warning("%s %s", self.where, words)


def next_change(change: Change, body: Mapping[str, Any], refusal: str) -> Change | None:
    """What to change of a request that a server did not understand; None where nothing is left to try.

    Args:
        change: what was changed already.
        body: what would be sent without changes.
        refusal: the server's words.
    """
    sent = change.apply(body)
    for name in _refused(refusal, sent):
        changed = _without(name, change, refusal)
        if changed != change:
            return changed
    for names in _UNNAMED:
        if names[0] in sent:
            return change.drop(*names)
    return None


def _without(name: str, change: Change, refusal: str) -> Change:
    if name == _LIMIT:
        return replace(change, renamed=True)
    if name == "stream":
        return replace(change, streamed=True)
    if name in _CHANCES and not change.fewer and _TOO_MANY.search(refusal):
        return replace(change, fewer=True)
    return change.drop(*_CHANCES) if name in _CHANCES else change.drop(name)


def _refused(refusal: str, sent: Mapping[str, Any]) -> Iterable[str]:
    """Parameters that a refusal names, the one first that it names as the cause."""
    named = [name for name in _LEAST_FIRST if re.search(rf"(?<![a-z_]){name}(?![a-z_])", refusal)]
    if FORMAT in sent and FORMAT not in named and _FORMAT_WORDS.search(refusal):
        named.append(FORMAT)
    cause = _cause(refusal)
    ordered = [cause, *named] if cause in _LEAST_FIRST else named
    return [name for name in ordered if name in sent or (name == "stream" and "stream" not in sent)]


def _cause(refusal: str) -> str:
    """The field `param` of an error as OpenAI's servers write it; empty where there is none."""
    try:
        error = json.loads(refusal)["error"]
        return error["param"] if isinstance(error["param"], str) else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _told(before: Change, after: Change) -> Iterable[str]:
    """What changed, in words that go on after the name of the server."""
    left_out = sorted(after.without - before.without)
    if "logprobs" in left_out:
        yield "tells no probabilities: its answers are scored by their texts alone."
    if FORMAT in left_out:
        yield "does not answer by a JSON schema: answers are asked for as text."
    if THINKING in left_out:
        yield "cannot be told not to think: what it thinks is parted from its answers."
    others = [name for name in left_out if name not in (*_CHANCES, FORMAT, THINKING)]
    if others:
        words = f"does not take {' and '.join(others)}: requests are sent without"
        yield words + (", so that answers may be sampled." if "temperature" in others else ".")
    if after.fewer and not before.fewer and "logprobs" not in after.without:
        yield f"tells {FEWER_LOGPROBS} alternatives a token at the most."
    if after.renamed and not before.renamed:
        yield f"takes {_OTHER_LIMIT} in place of {_LIMIT}."
    if after.streamed and not before.streamed:
        yield "answers in streams only."
