"""The process that decodes strangers' pictures, one after the other, with little memory and time.

Decoders are large and written in C. The limits of `decoding` keep out what would cost too much; should a
file break a decoder all the same, it breaks this process, which reaches no network, writes no file and starts
no program. It speaks through its standard streams: a request, or an answer, is a line of JSON and so many
bytes. It ends when whoever asks lets go of them.
"""

import resource
import sys
from typing import IO, Any

from PIL import Image

from blip_core import strict_json
from blip_core.confining import forbid_other_programs, leave_network, limit
from blip_core.errors import PictureError
from blip_core.images import heif
from blip_core.images.decoding import as_shown, is_plain, open_picture
from blip_core.painting import encode_png

MEMORY_BYTES = 2 << 30  # five copies of the largest picture that is read, as RGBA, and Python itself
CPU_SECONDS = 60  # a picture of 100 scans and 50 megapixels takes half of it
OPEN_FILES = 64

PNG, PIXELS, NOTHING = "png", "pixels", "nothing"
"""What is wanted of a picture: a PNG of it, its RGB bytes, or only to know that it can be read."""
NO_MEMORY = f"it takes more than {MEMORY_BYTES >> 30} GiB of memory to decode"


def main() -> None:
    """Answer requests until there are no more."""
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    leave_network()
    _load_decoders()
    _limit_resources()
    forbid_other_programs("a picture")
    send(answers, {"is_ready": True})
    while request := receive(asked):
        send(answers, *_answer(*request))


def send(stream: IO[bytes], head: dict[str, Any], data: bytes = b"") -> None:
    """Write a message: its head says how many bytes follow."""
    stream.write(strict_json.dumps({**head, "bytes": len(data)}).encode("ascii") + b"\n" + data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next message; None where the other side has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = strict_json.loads(line)
    data = stream.read(head["bytes"])
    return (head, data) if len(data) == head["bytes"] else None


def _answer(asked: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    _allow_cpu(CPU_SECONDS)
    try:
        with open_picture(data, asked["name"]) as opened:
            facts: dict[str, Any] = {
                "is_first_of_several": opened.is_first_of_several,
                "is_plain": is_plain(opened),
            }
            if asked["keep_plain"] and facts["is_plain"]:
                return {**facts, "width_px": opened.image.width, "height_px": opened.image.height}, b""
            shown = as_shown(opened, asked["max_side_px"])
        facts |= {"width_px": shown.width, "height_px": shown.height}
        return facts, _made(asked["wanted"], shown)
    except PictureError as refused:
        return {"refused": str(refused), "reason": refused.reason}, b""
    except MemoryError:
        return {"broken": NO_MEMORY}, b""


def _made(wanted: str, shown: Image.Image) -> bytes:
    if wanted == PNG:
        return encode_png(shown)
    return shown.tobytes() if wanted == PIXELS else b""


def _load_decoders() -> None:
    """Load what is loaded at the first use of a format, before files are out of reach."""
    Image.init()
    heif.can_read_heif()


def _limit_resources() -> None:
    limit(resource.RLIMIT_DATA, MEMORY_BYTES)
    limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)


def _allow_cpu(seconds: int) -> None:
    """Let this process go on for so many seconds of CPU time from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(
        resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard)
    )
