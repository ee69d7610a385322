"""Standard streams that take whatever is printed, on a console of any encoding."""

import codecs
import io
import os
import sys

from blip_core.errors import escaped

PLAIN = "foundry-plain"
_STREAMS = ("stdin", "stdout", "stderr")
_SIGNS = {
    "✓": "+",
    "✗": "x",
    "·": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "×": "x",
    "±": "+-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}


def speak_utf8() -> None:
    """Start this program again in Python's UTF-8 mode where the locale gives file names ASCII alone.

    Otherwise arguments in any other script are taken for bytes, and files of such names cannot be opened. The
    console stays what it is. To be called first of all.
    """
    if codecs.lookup(sys.getfilesystemencoding()).name != "ascii":
        return
    from blip_core.wiring import library_environment

    environment = {"PYTHONIOENCODING": "ascii:backslashreplace", **library_environment(), "PYTHONUTF8": "1"}
    interpreter, *arguments = sys.orig_argv
    os.execve(sys.executable, [interpreter, "-X", "utf8", *arguments], environment)  # noqa: S606 - as typed


def settle_streams() -> None:
    """Let output degrade where the console's encoding lacks a sign: results matter more than a tick mark.

    A stream that was closed leads to nowhere, or the next file that is opened would take its number.
    """
    codecs.register_error(PLAIN, _plain)
    for number, name in enumerate(_STREAMS):
        _reopen_closed(number, name)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test's stream, or a notebook's, takes everything
            stream.reconfigure(errors=PLAIN)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Signs of our own by what resembles them, all else by its number, as Python writes it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = (_SIGNS.get(char, escaped(char)) for char in error.object[error.start : error.end])
    return "".join(plain), error.end


def _reopen_closed(number: int, name: str) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115
