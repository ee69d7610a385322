"""Language and vision-language models behind a server that speaks OpenAI's chat completions protocol.

vLLM, SGLang, TGI, Ollama and `transformers serve` all do. Protocol:
https://platform.openai.com/docs/api-reference/chat
"""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from PIL.Image import Image

from blip_core.errors import StageFailure

TIMEOUT_S = 600.0  # one long answer of a large model on a busy server
CONNECT_TIMEOUT_S = 10.0
REQUESTS_AT_ONCE = 8  # servers of this kind batch what arrives together
IMAGE_MARK = "<image>"
_SEED_LIMIT = 2**31  # some servers keep seeds in 32 bits
_SHOWN_CHARS = 300

Content = str | list[dict[str, Any]]


class ChatClient:
    """Asks a server one question a row, several rows at a time.

    Args:
        base_url: address up to and without `/chat/completions`, as `http://127.0.0.1:8000/v1`.
        model: the name that the server knows the model by.
        temperature: 0 takes the likeliest token.
        top_p: probability mass that is sampled from.
        max_new_tokens: longest answer, in tokens.
        api_key: sent as a bearer token; none where empty.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        api_key: str = "",
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._settings = {
            "model": model,
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_new_tokens,
        }
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._client = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def ask(self, contents: Sequence[Content], seeds: Sequence[int]) -> list[str]:
        """Answer each user message under its own seed, in order.

        Raises:
            StageFailure: when the client is closed, or the server cannot be reached, refuses or
                answers something else.
        """
        rows = list(zip(contents, seeds, strict=True))
        if self._client.is_closed:
            raise StageFailure(f"The client of {self._base_url} was closed and takes no more work.")
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            return list(pool.map(lambda row: self._ask_one(*row), rows))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _ask_one(self, content: Content, seed: int) -> str:
        body = {
            **self._settings,
            "seed": seed % _SEED_LIMIT,
            "messages": [{"role": "user", "content": content}],
        }
        try:
            response = self._client.post(f"{self._base_url}/chat/completions", json=body)
        except httpx.RequestError as error:
            raise StageFailure(
                f"The model server at {self._base_url} could not be reached "
                f"({error or type(error).__name__}); is it running, and is the address right?"
            ) from error
        if response.is_error:
            raise StageFailure(
                f"The model server at {self._base_url} refused with status {response.status_code}: "
                f"{response.text[:_SHOWN_CHARS]}"
            )
        return _text_of(response, self._base_url)


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
        return self._client.ask([_message(picture, prompt) for picture, prompt in rows], seeds)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def _message(picture: Image, prompt: str) -> Content:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": _without_frame(prompt)},
    ]


def _without_frame(prompt: str) -> str:
    """Take the image mark and LLaVA's turns out of a prompt: the server frames messages itself."""
    text = prompt.replace(IMAGE_MARK, "").strip()
    return text.removeprefix("USER:").removesuffix("ASSISTANT:").strip()


def _text_of(response: httpx.Response, base_url: str) -> str:
    try:
        text = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise StageFailure(
            f"The model server at {base_url} sent no chat completion: {response.text[:_SHOWN_CHARS]}"
        ) from error
    return text.strip() if isinstance(text, str) else ""
