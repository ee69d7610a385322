"""Language and vision-language models behind a server that speaks OpenAI's chat completions protocol.

vLLM, SGLang, TGI, Ollama and `transformers serve` all do. Protocol:
https://platform.openai.com/docs/api-reference/chat
"""

import base64
import io
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from PIL.Image import Image

from blip_core import strict_json
from blip_core.errors import StageFailure

TIMEOUT_S = 600.0  # one long answer of a large model on a busy server
CONNECT_TIMEOUT_S = 10.0
REQUESTS_AT_ONCE = 8  # servers of this kind batch what arrives together
ATTEMPTS = 6  # with pauses that double: a server that restarts has about a quarter of a minute
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0  # also of what a server asks for with Retry-After
TOP_LOGPROBS = 20  # as many as the protocol allows
IMAGE_MARK = "<image>"
_BUSY = (408, 425, 429)  # with all from 500 on: the same request may succeed a moment later
_SERVER_ERROR = 500
_NOT_UNDERSTOOD = (400, 422)
_SEED_LIMIT = 2**31  # some servers keep seeds in 32 bits
_SHOWN_CHARS = 300
_TELLING = ("id", "root", "parent", "max_model_len", "quantization")  # what no request changes

logger = logging.getLogger(__name__)

Content = str | list[dict[str, Any]]
Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Attributes:
        text: the answer, stripped.
        first_token: probability of each of the likeliest first tokens, by its text; empty where the server
            does not tell.
        prompt_tokens: tokens that it read; 0 where it does not tell.
        written_tokens: tokens that it wrote; 0 where it does not tell.
    """

    text: str
    first_token: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    written_tokens: int = 0


class ChatClient:
    """Asks a server one question a row, several rows at a time.

    A server that is busy, fails or drops the connection is asked again, `ATTEMPTS` times in all.

    Args:
        base_url: address up to and without `/chat/completions`, as `http://127.0.0.1:8000/v1`.
        model: the name that the server knows the model by.
        temperature: 0 takes the likeliest token.
        top_p: probability mass that is sampled from.
        max_new_tokens: longest answer, in tokens.
        api_key: sent as a bearer token; none where empty. No message shows it.
        requests_at_once: rows that are asked together.
        pause: waits for some seconds between two attempts.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        api_key: str = "",
        *,
        requests_at_once: int = REQUESTS_AT_ONCE,
        pause: Pause = time.sleep,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._settings = {
            "model": model,
            "temperature": temperature,
            "top_p": top_p,
            "max_tokens": max_new_tokens,
        }
        self._api_key = api_key
        self._requests_at_once = requests_at_once
        self._pause = pause
        self._tells_chances = True
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        limits = httpx.Limits(max_connections=requests_at_once)
        self._client = httpx.Client(headers=headers, timeout=timeout, limits=limits, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, contents: Sequence[Content], seeds: Sequence[int]) -> list[str]:
        """Answer each user message under its own seed, in order; the texts alone, see `reply`."""
        return [reply.text for reply in self.reply(contents, seeds)]

    def reply(
        self,
        contents: Sequence[Content],
        seeds: Sequence[int],
        *,
        first_token: bool = False,
        max_new_tokens: int | None = None,
    ) -> list[Reply]:
        """Answer each user message under its own seed, in order.

        Args:
            contents: what is asked.
            seeds: one a message.
            first_token: whether probabilities of the first token are asked for, too; a server that refuses
                to tell them is asked without.
            max_new_tokens: longest answer, where it is not that of the client.

        Raises:
            StageFailure: when the client is closed, or the server cannot be reached, refuses or
                answers something else.
        """
        rows = list(zip(contents, seeds, strict=True))
        if self._client.is_closed:
            raise StageFailure(f"The client of {self._base_url} was closed and takes no more work.")
        changes = {"max_tokens": max_new_tokens} if max_new_tokens else {}
        with ThreadPoolExecutor(self._requests_at_once) as pool:
            return list(pool.map(lambda row: self._reply_one(row[0], row[1], changes, first_token), rows))

    def model_facts(self) -> str:
        """What the server tells of the model, as JSON that stays the same while it serves it.

        Empty where it tells nothing: `/models` is not part of every server.

        Raises:
            StageFailure: The server cannot be reached.
        """
        response = self._send(lambda: self._client.get(f"{self._base_url}/models"))
        if response.is_error:
            return ""
        try:
            listed = response.json()["data"]
            told = [one for one in listed if one["id"] == self._settings["model"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        facts = {name: told[0][name] for name in _TELLING if told and told[0].get(name) is not None}
        return strict_json.dumps(facts, sort_keys=True) if facts else ""

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _reply_one(self, content: Content, seed: int, changes: Mapping[str, Any], first_token: bool) -> Reply:
        body = {
            **self._settings,
            **changes,
            "seed": seed % _SEED_LIMIT,
            "messages": [{"role": "user", "content": content}],
        }
        if first_token and self._tells_chances:
            response = self._post(body | {"logprobs": True, "top_logprobs": TOP_LOGPROBS})
            if response.status_code not in _NOT_UNDERSTOOD:
                return self._read(response)
        response = self._post(body)
        if first_token and self._tells_chances and not response.is_error:
            self._tells_chances = False
            logger.info("%s refuses to tell probabilities; its texts are read instead.", self._base_url)
        return self._read(response)

    def _post(self, body: Mapping[str, Any]) -> httpx.Response:
        return self._send(lambda: self._client.post(f"{self._base_url}/chat/completions", json=body))

    def _send(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        """Send a request until it is answered by more than `busy`, or the attempts are spent."""
        for attempt in range(1, ATTEMPTS + 1):
            wait = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
            try:
                response = request()
            except (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout) as error:
                if attempt == ATTEMPTS:
                    raise self._away(error) from error
            except httpx.RequestError as error:
                raise self._away(error) from error
            else:
                if not _is_busy(response) or attempt == ATTEMPTS:
                    return response
                wait = max(wait, _asked_wait(response))
            self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def _away(self, error: httpx.RequestError) -> StageFailure:
        return StageFailure(
            f"The model server at {self._base_url} could not be reached "
            f"({error or type(error).__name__}); is it running, and is the address right?"
        )

    def _read(self, response: httpx.Response) -> Reply:
        if response.is_error:
            raise StageFailure(
                f"The model server at {self._base_url} refused with status {response.status_code}: "
                f"{self._shown(response)}"
            )
        try:
            told = response.json()
            choice = told["choices"][0]
            text = choice["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise StageFailure(
                f"The model server at {self._base_url} sent no chat completion: {self._shown(response)}"
            ) from error
        return Reply(
            text=text.strip() if isinstance(text, str) else "",
            first_token=_first_token(choice),
            prompt_tokens=_count(told, "prompt_tokens"),
            written_tokens=_count(told, "completion_tokens"),
        )

    def _shown(self, response: httpx.Response) -> str:
        """The beginning of what a server said; a key that it repeats is not shown."""
        text = response.text.replace(self._api_key, "***") if self._api_key else response.text
        return text[:_SHOWN_CHARS]


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


def _is_busy(response: httpx.Response) -> bool:
    return response.status_code in _BUSY or response.status_code >= _SERVER_ERROR


def _asked_wait(response: httpx.Response) -> float:
    """Seconds that a server asks for; 0 where it asks for none, or for a date."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_PAUSE_S) if asked.isdecimal() else 0.0


def _first_token(choice: Mapping[str, Any]) -> dict[str, float]:
    """Probabilities of the first token's alternatives; tokens that read the same are one.

    Empty where any is NaN or infinite: of the others nobody knows how much they are worth beside it.
    """
    try:
        alternatives = choice["logprobs"]["content"][0]["top_logprobs"]
        told = [(str(one["token"]), float(one["logprob"])) for one in alternatives]
    except (KeyError, IndexError, TypeError, ValueError):
        return {}
    if not all(math.isfinite(logprob) or logprob == -math.inf for _, logprob in told):
        return {}
    chances: dict[str, float] = {}
    for token, logprob in told:
        chances[token] = chances.get(token, 0.0) + math.exp(min(logprob, 0.0))
    return chances


def _count(told: Mapping[str, Any], name: str) -> int:
    usage = told.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0
