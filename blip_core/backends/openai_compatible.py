"""Language and vision-language models behind a server that speaks OpenAI's chat completions protocol."""

import base64
import io
from collections.abc import Sequence

from PIL.Image import Image

from blip_core.backends.chat import ChatClient, Content

IMAGE_MARK = "<image>"


class OpenAICompatibleWriter:
    """Writes through a `ChatClient`."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client

    def write(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt under its own seed; see `TextWriter`."""
        return self._client.ask([prompt.strip() for prompt in prompts], seeds)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class OpenAICompatibleLabeller:
    """Labels through a `ChatClient`; pictures travel as PNG inside the message."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client

    def label(self, pictures: Sequence[Image], prompts: Sequence[str], seeds: Sequence[int]) -> list[str]:
        """Answer each prompt about its picture under its own seed; see `Labeller`."""
        rows = zip(pictures, prompts, strict=True)
        contents = [message(picture_url(picture), without_frame(prompt)) for picture, prompt in rows]
        return self._client.ask(contents, seeds)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def message(picture: str, text: str) -> Content:
    """A user message about a picture, which is a URL, see `picture_url`; empty, the text stands alone."""
    if not picture:
        return text
    return [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": text}]


def picture_url(picture: Image) -> str:
    """A picture as a data URL that holds it as PNG."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def without_frame(prompt: str) -> str:
    """Take the image mark and LLaVA's turns out of a prompt: the server frames messages itself."""
    text = prompt.replace(IMAGE_MARK, "").strip()
    return text.removeprefix("USER:").removesuffix("ASSISTANT:").strip()
