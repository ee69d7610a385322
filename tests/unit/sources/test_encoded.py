"""Pictures as text: told from names of files however the text is broken, and read as it was written."""

import base64

import pytest

from blip_core.sources.encoded import decode_base64, is_encoded_picture

HEADS = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "webp": b"RIFF\0\0\0\0WEBP",
    "avif": b"\0\0\0\x20ftypavif",
}
PICTURES = {name: head + bytes(range(256)) for name, head in HEADS.items()}


def written(picture: bytes, spaces: int, every: int = 9) -> str:
    """Base64 with so many line ends among its first characters."""
    text = base64.b64encode(picture).decode()
    return "".join(f"{text[n * every : (n + 1) * every]}\n" for n in range(spaces)) + text[spaces * every :]


@pytest.mark.parametrize("spaces", range(6))
@pytest.mark.parametrize("name", PICTURES)
def test_line_ends_hide_no_picture_wherever_they_stand(name: str, spaces: int):
    text = written(PICTURES[name], spaces)
    assert is_encoded_picture(text)
    assert is_encoded_picture(f"{' ' * spaces}{text}")
    assert decode_base64(text) == PICTURES[name]


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize(
    "form", ["{}", "b'{}'", 'b"{}"', "data:image/png;base64,{}", "DATA:;charset=x;base64,{}"]
)
def test_every_form_is_told_and_read(name: str, form: str):
    text = form.format(base64.b64encode(PICTURES[name]).decode())
    assert is_encoded_picture(text)
    assert decode_base64(text) == PICTURES[name]


@pytest.mark.parametrize("name", PICTURES)
def test_letters_for_addresses_and_missing_padding_change_nothing(name: str):
    text = base64.urlsafe_b64encode(PICTURES[name]).decode().rstrip("=")
    assert is_encoded_picture(text)
    assert decode_base64(text) == PICTURES[name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photos/frog.png",
        "a" * 64,
        "iVBORw0KGgo",  # begins as a PNG does, and is too short for one
        base64.b64encode(b"no picture at all, but quite a long text instead of one").decode(),
        "iVBORw0KGgo" + "?" * 60,
    ],
)
def test_names_and_other_texts_are_no_pictures(text: str):
    assert not is_encoded_picture(text)


@pytest.mark.parametrize("text", ["?", "frog.png", "a", "abcde"])
def test_what_is_no_base64_stands_for_nothing(text: str):
    assert decode_base64(text) is None
