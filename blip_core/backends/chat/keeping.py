"""Answers of a stage that is not finished, a line each: what was answered once is not asked for again."""

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.backends.chat.reply import Reply

_FIELDS = ("text", "is_cut", "is_refused", "prompt_tokens", "written_tokens")
_LISTS = ("starts", "log_probabilities")  # of tokens; absent from lines of before


def request_key(body: Mapping[str, Any]) -> str:
    """What tells a request from others: all of its body, the seed and pictures included."""
    return hashlib.sha256(strict_json.dumps(body, sort_keys=True).encode()).hexdigest()


class KeptReplies:
    """Replies by request, in a file of JSON lines; used from any thread of one process.

    A line that a kill cut short is left out, and so is what is no line of ours.

    Args:
        path: of the file; made with the first reply that is kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._replies = _read(path)

    def find(self, key: str) -> Reply | None:
        """The reply to a request, if it was kept."""
        return self._replies.get(key)

    def keep(self, key: str, reply: Reply) -> None:
        """Keep a reply to a request, without the alternatives to its tokens."""
        told = {name: getattr(reply, name) for name in (*_FIELDS, *_LISTS)}
        line = strict_json.dumps({"key": key, **told})
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}")  # what a kill cut short stays on a line of its own


def _read(path: Path) -> dict[str, Reply]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    return dict(filter(None, map(_read_line, lines)))


def _read_line(line: bytes) -> tuple[str, Reply] | None:
    try:
        told = strict_json.loads(line.decode())
        fields: dict[str, Any] = {name: told[name] for name in _FIELDS}
        fields |= {name: tuple(told.get(name, ())) for name in _LISTS}
        return str(told["key"]), Reply(**fields)
    except (ValueError, KeyError, TypeError):
        return None
