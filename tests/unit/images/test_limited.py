import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from blip_core.errors import PictureError, StageFailure
from blip_core.images import as_shown, check_stranger, decode_stranger, is_plain, limited, open_picture
from blip_core.images.limited import Decoder, Looked
from blip_core.painting import encode_png
from tests.hostile.files import encoded, noise, sound_files

SOUND = sound_files()
PATCHED = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from blip_core.images import limited_process as process; {}; process.main()"
)


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


def png_of(decoder: Decoder, data: bytes) -> Looked:
    return decoder.look(data, "cat.png", "png", None, keep_plain=False)


def refusal(decoder: Decoder, data: bytes = SOUND["png"]) -> str:
    with pytest.raises(PictureError) as caught:
        png_of(decoder, data)
    return str(caught.value)


def pid_of(decoder: Decoder) -> int:
    assert decoder._process is not None
    return decoder._process.pid


def change(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Let the process that is started next be another in one thing."""
    monkeypatch.setattr(limited, "_START", PATCHED.format(what))


@pytest.mark.parametrize("kind", SOUND)
def test_a_picture_becomes_the_same_bytes_as_in_this_process(kind: str):
    with open_picture(SOUND[kind], kind) as opened:
        here = as_shown(opened)
        plain, several = is_plain(opened), opened.is_first_of_several

    looked = limited.look(SOUND[kind], kind)

    assert looked == Looked(here.width, here.height, plain, several, encode_png(here))
    assert decode_stranger(SOUND[kind], kind).tobytes() == here.tobytes()
    assert check_stranger(SOUND[kind], kind) == here.size


def test_a_refusal_is_that_of_this_process():
    with pytest.raises(PictureError) as there:
        limited.look(b"%PDF-1.7", "cat.png")
    with pytest.raises(PictureError) as here, open_picture(b"%PDF-1.7", "cat.png"):
        pass
    assert str(there.value) == str(here.value)
    assert there.value.reason == here.value.reason


def test_pictures_share_a_process(decoder: Decoder):
    png_of(decoder, SOUND["png"])
    first = pid_of(decoder)
    refusal(decoder, b"no picture")
    png_of(decoder, SOUND["jpeg"])
    assert pid_of(decoder) == first


def test_a_picture_that_breaks_the_decoder_is_one_picture(decoder: Decoder, monkeypatch: pytest.MonkeyPatch):
    change(
        monkeypatch,
        f"process.as_shown = lambda *_: __import__('os').kill(__import__('os').getpid(), {signal.SIGSEGV:d})",
    )
    assert refusal(decoder) == "cat.png cannot be read as a picture: its bytes break the decoder (SIGSEGV)"
    monkeypatch.undo()
    assert png_of(decoder, SOUND["png"]).width_px == 24


def test_a_picture_that_takes_too_much_memory_is_refused(decoder: Decoder, monkeypatch: pytest.MonkeyPatch):
    change(monkeypatch, "process.MEMORY_BYTES = 200 << 20")
    large = encoded(Image.new("RGB", (7_000, 7_000)), "PNG")
    assert "of memory to decode" in refusal(decoder, large)
    assert png_of(decoder, SOUND["png"]).width_px == 24


def test_a_picture_that_takes_too_much_time_is_refused(decoder: Decoder, monkeypatch: pytest.MonkeyPatch):
    change(monkeypatch, "process.CPU_SECONDS = 0; process.as_shown = lambda *_: [0 for _ in iter(int, 1)]")
    assert refusal(decoder).endswith("s of CPU time to decode")


def test_a_picture_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch):
    change(monkeypatch, "process.as_shown = lambda *_: __import__('time').sleep(100)")
    decoder = Decoder(deadline_s=1.0)
    assert "it takes more than 1 s" in refusal(decoder)
    decoder.close()


@pytest.mark.parametrize(
    "attempt",
    [
        "__import__('socket').create_connection(('127.0.0.1', 1), 2)",
        "__import__('subprocess').run(['true'])",
        "__import__('pathlib').Path('/tmp/foundry-was-here').write_text('x')",
    ],
)
def test_the_process_reaches_nothing(decoder: Decoder, monkeypatch: pytest.MonkeyPatch, attempt: str):
    import socket  # noqa: F401 - loaded here too, so that only the attempt is refused

    change(monkeypatch, f"import socket, subprocess; process.as_shown = lambda *_: {attempt}")
    said = refusal(decoder)
    assert "a picture asked for" in said or "File too large" in said
    written = Path("/tmp/foundry-was-here")  # noqa: S108 - a name of our own
    assert not written.exists() or written.read_text() == ""
    written.unlink(missing_ok=True)


def test_the_process_knows_no_secret_and_stands_in_no_network_of_ours(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    png_of(decoder, SOUND["png"])
    told = Path(f"/proc/{pid_of(decoder)}/environ").read_bytes()
    assert b"canary" not in told
    if os.getuid() == 0:
        networks = [Path(f"/proc/{who}/ns/net").readlink() for who in (pid_of(decoder), "self")]
        assert networks[0] != networks[1]


def test_the_process_ends_with_whoever_asks(decoder: Decoder):
    png_of(decoder, SOUND["png"])
    process = decoder._process
    assert process is not None
    decoder.close()
    assert process.returncode == 0


def test_a_process_that_cannot_start_is_no_fault_of_the_picture(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limited, "_START", "import sys; sys.exit(3)")
    with pytest.raises(StageFailure, match=r"did not start \(exit code 3\)"):
        png_of(decoder, encoded(noise(), "PNG"))
