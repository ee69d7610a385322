"""No bytes make a picture reader do anything but give a picture or refuse it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blip_core.errors import TableError
from blip_core.images import decode_picture
from blip_core.sources.pictures import outside_picture, upright
from tests.hostile.files import (
    SIDE_PX,
    bmp_claiming,
    box_claiming,
    gif_claiming,
    png_claiming,
    sound_files,
    tiff_claiming,
    tiff_of,
    webp_claiming,
)
from tests.hostile.mutations import damaged

SOUND = sound_files()
CASES_A_PICTURE = 10  # a picture costs more than a text: one in so many of the cases of a parser


def read(data: bytes) -> Image.Image | str:
    """The picture, or why there is none; any other exception is the test's failure."""
    try:
        picture = decode_picture(data, "x")
    except TableError as refused:
        return str(refused)
    assert picture.mode == "RGB"
    return picture


@pytest.mark.parametrize("kind", SOUND)
def test_a_file_cut_at_any_length_is_refused_or_whole(kind: str):
    whole = decode_picture(SOUND[kind], kind).tobytes()
    for length in range(len(SOUND[kind])):
        outcome = read(SOUND[kind][:length])
        assert isinstance(outcome, str) or outcome.tobytes() == whole, f"{kind} cut at {length}"


@pytest.mark.parametrize("kind", SOUND)
def test_damaged_files_are_read_or_refused_in_words_that_name_no_address(kind: str, cases: int):
    for case in range(cases // CASES_A_PICTURE):
        outcome = read(damaged(SOUND[kind], case))
        if isinstance(outcome, str):
            assert " at 0x" not in outcome, f"case {case}"


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"RIFF____WEBP",
            b"GIF89a",
            b"BM",
            b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08",
            b"\0\0\0\x18ftypavif",
            b"\0\0\0\x18ftypheic",
        ]
    ),
)
def test_no_bytes_break_the_reader(rest: bytes, start: bytes):
    assert isinstance(read(start + rest), str | Image.Image)


@pytest.mark.parametrize("kind", SOUND)
def test_what_was_made_upright_is_so_and_reads_the_same(kind: str):
    once = upright(SOUND[kind], kind).data

    assert upright(once, kind) == (once, "")
    assert decode_picture(once, kind).tobytes() == decode_picture(SOUND[kind], kind).tobytes()


@pytest.mark.parametrize("kind", SOUND)
def test_every_sound_file_becomes_a_picture_row(kind: str):
    picture = outside_picture(SOUND[kind], kind, "any")

    assert (picture.width_px, picture.height_px) == (SIDE_PX, SIDE_PX)
    assert picture.png.startswith(b"\x89PNG")


SPARE_BYTES = 300 * 2**20
LITTLE_BYTES = 20_000_000
BOMBS = {
    "png": png_claiming(60_000, 60_000),
    "png-below-the-limits-of-the-decoder": png_claiming(9_000, 9_000),
    "webp": webp_claiming(1 << 24, 1 << 24),
    "webp-below-the-limits-of-the-decoder": webp_claiming(13_000, 13_000),
    "gif": gif_claiming(65_535, 65_535),
    "gif-below-the-limits-of-the-decoder": gif_claiming(9_000, 9_000),
    "bmp": bmp_claiming(60_000, 60_000),
    "bmp-below-the-limits-of-the-decoder": bmp_claiming(9_000, 9_000),
    "tiff": tiff_claiming(60_000, 60_000),
    "tiff-below-the-limits-of-the-decoder": tiff_claiming(9_000, 9_000),
    "tiff-of-one-tile": tiff_of({322: (4, 1, 2**15), 323: (4, 1, 2**15), 259: (3, 1, 8)}),
    "tiff-of-many-strips": tiff_of({273: (4, 2**24, 8), 279: (4, 2**24, 8)}, bytes(2**26 - 2**10)),
    "avif": box_claiming(SOUND["avif"], 60_000, 60_000),
    "avif-below-the-limits-of-the-decoder": box_claiming(SOUND["avif"], 9_000, 9_000),
    "heic": box_claiming(SOUND["heic"], 60_000, 60_000),
    "heic-below-the-limits-of-the-decoder": box_claiming(SOUND["heic"], 9_000, 9_000),
}
CHILD = """
import resource, sys
from pathlib import Path
from blip_core.images import decode_picture
from blip_core.errors import TableError
from tests.benchmarks.peak import peak_bytes

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
content = Path(sys.argv[1]).read_bytes()
before = peak_bytes()
try:
    decode_picture(content, "bomb")
except TableError as refused:
    print(peak_bytes() - before, refused)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from Linux's /proc")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_within_little_memory(kind: str, tmp_path: Path):
    (tmp_path / "bomb").write_bytes(BOMBS[kind])

    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "bomb"), str(SPARE_BYTES)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    grown, refused = child.stdout.split(maxsplit=1)
    assert refused.startswith("bomb cannot be read as a picture")
    assert int(grown) < LITTLE_BYTES
