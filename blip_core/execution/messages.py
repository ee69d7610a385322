"""What executor and workers say to each other: one JSON object a message, nothing pickled.

To a worker: `{"act": {...}}` opens something, `{"item": {...}}` has it work one, `{"act": null}` closes.
From a worker: `{"ready": PID}`, `{"done": 3, "of": 8}`, and for each item `{"result": {...}}` or
`{"failed": {...}}`.
"""

import traceback
from collections.abc import Mapping
from typing import Any

from blip_core import errors
from blip_core.errors import FoundryError, StageFailure

Message = Mapping[str, Any]

_MEMORY_ERRORS = ("OutOfMemoryError", "MemoryError")
LESS_MEMORY = "lower device.workers or the stage's batch_size, or stop other programs that use memory"


def failure_of(error: BaseException) -> Message:
    """What a worker tells of an error."""
    trace = "".join(traceback.format_exception(error))
    return {"failed": {"kind": type(error).__name__, "text": str(error), "trace": trace}}


def error_of(failed: Message, worker: str) -> Exception:
    """The error that a worker told of: the same of ours, and what should never happen with its trace.

    Args:
        failed: what it told.
        worker: its name, for people.
    """
    kind, text = str(failed["kind"]), str(failed["text"])
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, FoundryError):
        return known(text)
    first_line = next(iter(text.splitlines()), "")
    if kind in _MEMORY_ERRORS:
        return StageFailure(f"memory did not suffice in {worker}: {LESS_MEMORY}. It said: {first_line}")
    failure = RuntimeError(f"{worker} failed: {kind}: {first_line}")
    failure.add_note(str(failed["trace"]))
    return failure
