"""Language and vision-language models behind a server that speaks OpenAI's chat completions protocol."""

import base64
import io
from collections.abc import Sequence

from PIL.Image import Image

from blip_core.backends.chat import ChatClient, Content
from blip_core.ports import Costs, Written

IMAGE_MARK = "<image>"
MOST_PICTURE_BYTES = 4_000_000  # below the 5 MB that the strictest services take, before they are encoded
JPEG_QUALITY = 90  # no visible loss at the sizes that vision towers see


class OpenAICompatibleWriter:
    """Writes through a `ChatClient`."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client

    @property
    def costs(self) -> Costs:
        """What it has cost; see `Metered`."""
        return self._client.costs

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt under its own seed; see `TextWriter`."""
        return self._client.ask([prompt.strip() for prompt in prompts], seeds)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class OpenAICompatibleLabeller:
    """Labels through a `ChatClient`; pictures travel inside the message, see `small_picture_url`."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client

    @property
    def costs(self) -> Costs:
        """What it has cost; see `Metered`."""
        return self._client.costs

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture under its own seed; see `Labeller`."""
        return self._client.ask(_contents(pictures, prompts), seeds)

    def label_with_confidence(
        self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]
    ) -> list[Written]:
        """Answer each prompt and ask how likely its tokens were; see `Confident`.

        A server that tells no probabilities is asked without.
        """
        replies = self._client.reply(_contents(pictures, prompts), seeds, with_confidence=True)
        return [reply.written for reply in replies]

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def _contents(pictures: Sequence[Image], prompts: Sequence[str]) -> list[Content]:
    rows = zip(pictures, prompts, strict=True)
    return [message(small_picture_url(picture), without_frame(prompt)) for picture, prompt in rows]


def message(picture: str, text: str) -> Content:
    """A user message about a picture, which is a URL, see `picture_url`; empty, the text stands alone."""
    if not picture:
        return text
    return [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": text}]


def picture_url(picture: Image) -> str:
    """A picture as a data URL that holds it as PNG."""
    return _data_url("png", _encoded(picture, "PNG"))


def small_picture_url(picture: Image, most_bytes: int = MOST_PICTURE_BYTES) -> str:
    """A picture as a data URL of bounded size: PNG, else JPEG, else that of a smaller picture."""
    encoded = _encoded(picture, "PNG")
    if len(encoded) <= most_bytes:
        return _data_url("png", encoded)
    while len(encoded := _encoded(picture, "JPEG", quality=JPEG_QUALITY)) > most_bytes:
        picture = picture.resize((max(picture.width // 2, 1), max(picture.height // 2, 1)))
    return _data_url("jpeg", encoded)


def _encoded(picture: Image, form: str, **settings: int) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format=form, **settings)
    return buffer.getvalue()


def _data_url(form: str, encoded: bytes) -> str:
    return f"data:image/{form};base64,{base64.b64encode(encoded).decode()}"


def without_frame(prompt: str) -> str:
    """Take the image mark and LLaVA's turns out of a prompt: the server frames messages itself."""
    text = prompt.replace(IMAGE_MARK, "").strip()
    return text.removeprefix("USER:").removesuffix("ASSISTANT:").strip()
