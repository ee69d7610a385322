"""Pictures from outside are decoded in a process of little memory and time, which many pictures share.

A picture that breaks it, or costs too much, is refused like any other that cannot be read, and the next one
gets a process anew. What comes of a picture is the same bytes as in this process.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, NamedTuple

from PIL import Image

from blip_core import strict_json
from blip_core.errors import PictureError, StageFailure
from blip_core.images.limited_process import CPU_SECONDS, NOTHING, PIXELS, PNG, receive, send

DEADLINE_SECONDS = 300.0  # five times its CPU time: cores are shared with others
# Modules are looked for where this process finds them, and nowhere else.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from blip_core.images.limited_process import main; main()"
)
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # and nothing else: no token, no login


class Looked(NamedTuple):
    """A picture that was decoded elsewhere.

    Attributes:
        width_px: as it is shown.
        height_px: as it is shown.
        is_plain: see `decoding.is_plain`.
        is_first_of_several: whether its file holds more.
        data: what was wanted of it.
    """

    width_px: int
    height_px: int
    is_plain: bool
    is_first_of_several: bool
    data: bytes


class Decoder:
    """A process that decodes, kept for the next picture; one picture at a time, whoever asks."""

    def __init__(self, deadline_s: float = DEADLINE_SECONDS) -> None:
        self._deadline_s = deadline_s
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, data: bytes, name: str, wanted: str, max_side_px: int | None, keep_plain: bool) -> Looked:
        """Decode a picture; see `look`."""
        asked = {"name": name, "wanted": wanted, "max_side_px": max_side_px, "keep_plain": keep_plain}
        with self._turn:
            told, made = self._ask(asked, data, name)
        if "refused" in told:
            raise PictureError(told["refused"], told["reason"])
        if "broken" in told:
            raise PictureError(f"{name} cannot be read as a picture: {told['broken']}")
        return Looked(**{field: told[field] for field in Looked._fields[:-1]}, data=made)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        process.wait()

    def _ask(self, asked: dict[str, Any], data: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        process = self._process or self._start()
        timer = threading.Timer(self._deadline_s, process.kill)
        timer.start()
        try:
            send(process.stdin, asked, data)  # type: ignore[arg-type]  # both streams are pipes
            answer = receive(process.stdout)  # type: ignore[arg-type]
        except BrokenPipeError:
            answer = None
        except BaseException:  # half a message is under way: nobody may read the rest
            process.kill()
            self.close()
            raise
        finally:
            timer.cancel()
        if answer is not None:
            return answer
        self.close()
        return {"broken": _ended(process.returncode, self._deadline_s)}, b""

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-c", _START, strict_json.dumps(sys.path)]
        process = subprocess.Popen(
            command,
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # remarks of decoders
        )
        self._process = process
        if receive(process.stdout) is None:  # type: ignore[arg-type]
            self.close()
            raise StageFailure(
                f"the process that decodes pictures did not start (exit code {process.returncode}); "
                "see whether memory or the number of processes is limited here"
            )
        return process


def look(
    data: bytes,
    name: str,
    *,
    wanted: str = PNG,
    max_side_px: int | None = None,
    keep_plain: bool = False,
) -> Looked:
    """Decode an encoded picture of a stranger, as `decoding.decode_picture` does, in another process.

    Args:
        data: a whole file.
        name: what an error calls it.
        wanted: `PNG`, `PIXELS` or `NOTHING`.
        max_side_px: a picture with a longer side is made smaller.
        keep_plain: whether nothing is made of a picture that every reader shows alike.

    Raises:
        PictureError: It cannot be read, or takes too much memory or time.
        StageFailure: The process cannot be started.
    """
    return _decoder().look(data, name, wanted, max_side_px, keep_plain)


def decode_stranger(data: bytes, name: str, max_side_px: int | None = None) -> Image.Image:
    """Decode an encoded picture of a stranger to RGB; see `look`."""
    looked = look(data, name, wanted=PIXELS, max_side_px=max_side_px)
    return Image.frombytes("RGB", (looked.width_px, looked.height_px), looked.data)


def check_stranger(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels of a stranger's picture, which is decoded to the end; see `look`."""
    looked = look(data, name, wanted=NOTHING)
    return looked.width_px, looked.height_px


_decoders: dict[int, Decoder] = {}  # by process: what a fork inherits belongs to its parent


def _decoder() -> Decoder:
    pid = os.getpid()
    if pid not in _decoders:
        _decoders[pid] = Decoder()
        atexit.register(_decoders[pid].close)
    return _decoders[pid]


def _ended(code: int, deadline_s: float) -> str:
    if code == -signal.SIGXCPU:
        return f"it takes more than {CPU_SECONDS} s of CPU time to decode"
    if code == -signal.SIGKILL:
        return f"it takes more than {deadline_s:.0f} s, or more memory than there is, to decode"
    by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"its bytes break the decoder ({by})"
