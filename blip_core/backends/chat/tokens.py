"""Probabilities of tokens as servers tell them, and which token wrote which character of an answer."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from blip_core.backends.chat.thinking import CLOSING
from blip_core.ports import Written

Chances = Mapping[str, float]

_TRIANGLES = "◁▷"  # of Kimi's marks
_LOGPROBS = (-1e6, 0.01)  # beyond, a number is no logarithm of a probability, not even a rounded one
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")  # how byte fallback writes a byte
_SPACES = {"\u0120": " ", "\u010a": "\n", "\u2581": " "}  # how tokenizers write a space and a line's end
# What servers leave out of contents or not, as they like: special tokens and the marks of thinking.
_SPECIAL = re.compile(r"<\|[^<>|]{1,40}\|>|</?s>|</?[a-z_:]{0,12}think(?:ing)?>|\[/?THINK\]|◁/?think▷")


@dataclass(frozen=True, slots=True)
class Token:
    """One token that was written.

    Attributes:
        text: what it reads.
        chances: probabilities of the likeliest tokens in its place, itself among them, by what they read.
        log_probability: its own, a natural logarithm; None where the server tells none that can be one.
    """

    text: str
    chances: Chances
    log_probability: float | None = None


def read_tokens(logprobs: Any) -> list[Token]:
    """Tokens of a choice's `logprobs`, in the form of chat completions or of their predecessor.

    Empty where there are none, or where one is no token: the others could not be placed.
    """
    if not isinstance(logprobs, Mapping):
        return []
    entries = logprobs.get("content")
    if entries is None and "tokens" in logprobs:
        entries = _as_content(logprobs)
    if not isinstance(entries, list):
        return []
    tokens = [_read_token(entry) for entry in entries]
    return [token for token in tokens if token] if all(tokens) else []


def chances_by_place(
    tokens: Sequence[Token], thought: str, content: str, start: int, end: int
) -> dict[int, Chances]:
    """What might have been written in an answer's places.

    Tokens may begin with thinking that the content lacks, spell spaces and special tokens in ways of their
    own, or not belong to the content at all. They are placed by the printable characters of ASCII, from the
    end: the answer has to end the tokens, and what precedes it has to be nothing, the thinking that is known,
    or end with a mark that ends thinking.

    Args:
        tokens: all that were written.
        thought: thinking that the server told apart from the content.
        content: what it told as content.
        start: where the answer begins in it.
        end: where it ends.

    Returns:
        Probabilities of tokens by place, an index of the answer's characters. A token that was written with
        other characters before the place stands there without them, and so do its alternatives. Empty where
        the tokens cannot be placed.
    """
    return {
        place: _from(tokens[number], offset)
        for place, number, offset in _placed(tokens, thought, content, start, end)
    }


def written(tokens: Sequence[Token], thought: str, content: str, start: int, end: int) -> Written:
    """An answer with how likely its tokens were; see `chances_by_place`, which has the arguments.

    A token without a printable character of ASCII stands behind the one before it. Where one token's
    probability is not told, none is.
    """
    answer = content[start:end]
    starts: dict[int, int] = {}
    for place, number, offset in _placed(tokens, thought, content, start, end):
        starts.setdefault(number, max(place - offset, 0))
    if not starts:
        return Written(answer)
    for number in range(min(starts), len(tokens)):
        if number not in starts:
            starts[number] = starts[number - 1] + len(tokens[number - 1].text)
    told = [(at, tokens[number].log_probability) for number, at in sorted(starts.items()) if at < len(answer)]
    chances = [chance for _, chance in told if chance is not None]
    if len(chances) < len(told):
        return Written(answer)
    return Written(answer, tuple(accumulate((at for at, _ in told), max)), tuple(chances))


def _placed(
    tokens: Sequence[Token], thought: str, content: str, start: int, end: int
) -> list[tuple[int, int, int]]:
    """Place in the answer, number of the token and offset in it of each character that can be compared."""
    said, places = _comparable([content[start:end]])
    written, origins = _comparable([token.text for token in tokens])
    if not said or not written.endswith(said):
        return []
    first = len(written) - len(said)
    known = _comparable([thought])[0] + _comparable([content[:start]])[0]
    if not _may_precede(written[:first], known) and not _ends_thinking(tokens, *origins[first]):
        return []
    return [(place, *origin) for (_, place), origin in zip(places, origins[first:], strict=True)]


def _may_precede(before: str, known: str) -> bool:
    return not before or (bool(known) and before.endswith(known))


def _ends_thinking(tokens: Sequence[Token], number: int, offset: int) -> bool:
    """Whether a mark that ends thinking stands directly before a character of a token."""
    before = "".join(token.text for token in tokens[:number]) + tokens[number].text[:offset]
    return (
        CLOSING.search("".join(char for char in before if _is_plain(char) or char in _TRIANGLES)) is not None
    )


def _comparable(pieces: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Printable characters of ASCII without special tokens; and of each its piece and place in it."""
    whole = "".join(pieces)
    kept = [True] * len(whole)
    for special in _SPECIAL.finditer(whole):
        kept[special.start() : special.end()] = [False] * (special.end() - special.start())
    chars: list[str] = []
    origins: list[tuple[int, int]] = []
    at = 0
    for number, piece in enumerate(pieces):
        for place, char in enumerate(piece):
            if kept[at + place] and _is_plain(char):
                chars.append(char)
                origins.append((number, place))
        at += len(piece)
    return "".join(chars), origins


def _is_plain(char: str) -> bool:
    """Whether it is printable ASCII: what tokenizers and servers spell in one way."""
    return "!" <= char <= "~"


def _from(token: Token, offset: int) -> Chances:
    """Chances of a token and its alternatives, what they all begin with before an offset taken away."""
    lead = token.text[:offset]
    chances: dict[str, float] = {}
    for text, chance in token.chances.items():
        rest = text.removeprefix(lead)
        chances[rest] = chances.get(rest, 0.0) + chance
    return chances


def _read_token(entry: Any) -> Token | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str):
        return None
    listed = entry.get("top_logprobs")
    alternatives = [*listed, entry] if isinstance(listed, list) else [entry]
    chances: dict[str, float] = {}
    for one in alternatives:
        chance = _chance(one)
        is_repeated = one is entry and _text(entry) in chances
        if chance is not None and not is_repeated:
            chances[_text(one)] = chances.get(_text(one), 0.0) + chance
    return Token(_text(entry), chances, _log_probability(entry))


def _chance(one: Any) -> float | None:
    """The probability that an alternative tells; None where it tells none that can be one."""
    told = _log_probability(one)
    return None if told is None else math.exp(told)


def _log_probability(one: Any) -> float | None:
    if not isinstance(one, Mapping) or not isinstance(one.get("token"), str):
        return None
    value = one.get("logprob")
    lowest, highest = _LOGPROBS
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest < value <= highest:
        return None
    return min(float(value), 0.0)


def _text(one: Mapping[str, Any]) -> str:
    """What a token reads: its bytes where they are told, else its text with spaces as spaces."""
    told = one.get("bytes")
    if isinstance(told, list) and told and all(isinstance(byte, int) and 0 <= byte < 256 for byte in told):
        return bytes(told).decode("utf-8", errors="replace")
    text = _BYTE.sub(lambda byte: chr(int(byte[1], 16)), one["token"])
    return "".join(_SPACES.get(char, char) for char in text)


def _as_content(logprobs: Mapping[str, Any]) -> list[Any] | None:
    """`tokens`, `token_logprobs` and `top_logprobs` of older completions, as entries of chat completions."""
    tokens, own, listed = (logprobs.get(name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not isinstance(tokens, list) or not isinstance(own, list) or len(own) != len(tokens):
        return None
    beside = listed if isinstance(listed, list) and len(listed) == len(tokens) else [None] * len(tokens)
    return [
        {
            "token": token,
            "logprob": chance,
            "top_logprobs": [
                {"token": text, "logprob": value}
                for text, value in (others.items() if isinstance(others, Mapping) else ())
            ],
        }
        for token, chance, others in zip(tokens, own, beside, strict=True)
    ]
