"""A client of one server: requests that are bounded in number, time and size."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from blip_core import strict_json
from blip_core.backends.chat.dialect import TOP_LOGPROBS, Change, Dialect, next_change
from blip_core.backends.chat.refusing import remedy, shown
from blip_core.backends.chat.reply import Content, Reply, read_reply
from blip_core.backends.chat.trying import BUDGET_S, Busy, Pause, asked_wait_s, tries
from blip_core.connecting import http_client
from blip_core.errors import StageFailure

TIMEOUT_S = 600.0  # one long answer of a large model on a busy server
REQUESTS_AT_ONCE = 8  # servers of this kind batch what arrives together
MAX_REPLY_BYTES = 64 * 2**20  # twenty alternatives to each of 30,000 tokens of thinking
MAX_REDIRECTS = 3
_BUSY = (408, 425, 429)  # with all from 500 on: the same request may succeed a moment later
_SERVER_ERROR = 500
_NOT_UNDERSTOOD = (400, 422)
_NOT_FOUND = 404
_SEED_LIMIT = 2**31  # some servers keep seeds in 32 bits
_TELLING = ("id", "root", "parent", "max_model_len", "quantization")  # what no request changes
_DEFAULT_TOP_P = 1.0  # not sent: some servers refuse the parameter whatever its value


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: str

    @property
    def is_error(self) -> bool:
        return self.status >= 400


class _BusyResponse(Busy):
    """A response that says: later."""

    def __init__(self, response: _Response, asked_wait_s: float) -> None:
        super().__init__(asked_wait_s)
        self.response = response


class ChatClient:
    """Asks a server one question a row, several rows at a time.

    A server that is busy, fails or drops the connection is asked again, see `trying`. Parameters that it
    refuses by name are left out from then on, see `Dialect`.

    Args:
        base_url: address up to and without `/chat/completions`, as `http://127.0.0.1:8000/v1`.
        model: the name that the server knows the model by.
        temperature: 0 takes the likeliest token.
        top_p: probability mass that is sampled from.
        max_new_tokens: longest answer, in tokens.
        api_key: sent as a bearer token; none where empty. No message shows it.
        requests_at_once: rows that are asked together.
        pause: waits for some seconds between two attempts.
        dialect: what the server was found to understand; absent, nothing is known of it.
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
        dialect: Dialect | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._settings = {"model": model, "temperature": temperature, "max_tokens": max_new_tokens}
        if top_p != _DEFAULT_TOP_P:
            self._settings["top_p"] = top_p
        self._api_key = api_key
        self._requests_at_once = requests_at_once
        self._pause = pause
        self._dialect = dialect or Dialect(f"The model server at {self._base_url}")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = http_client(base_url, TIMEOUT_S, headers=headers, connections=requests_at_once)

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
        with_chances: bool = False,
        max_new_tokens: int | None = None,
    ) -> list[Reply]:
        """Answer each user message under its own seed, in order.

        Args:
            contents: what is asked.
            seeds: one a message.
            with_chances: whether probabilities are asked for, too; a server that refuses to tell them is
                asked without.
            max_new_tokens: longest answer, where it is not that of the client.

        Raises:
            StageFailure: when the client is closed, or the server cannot be reached, refuses or
                answers something else.
        """
        rows = list(zip(contents, seeds, strict=True))
        if self._client.is_closed:
            raise StageFailure(f"The client of {self._base_url} was closed and takes no more work.")
        changes: dict[str, Any] = {"max_tokens": max_new_tokens} if max_new_tokens else {}
        if with_chances:
            changes |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        with ThreadPoolExecutor(self._requests_at_once) as pool:
            return list(pool.map(lambda row: self._reply_one(row[0], row[1], changes), rows))

    def model_facts(self) -> str:
        """What the server tells of the model, as JSON that stays the same while it serves it.

        Empty where it tells nothing: `/models` is not part of every server.

        Raises:
            StageFailure: The server cannot be reached.
        """
        told = next((one for one in self._models() if one["id"] == self._model), {})
        facts = {name: told[name] for name in _TELLING if told.get(name) is not None}
        return strict_json.dumps(facts, sort_keys=True) if facts else ""

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _models(self) -> list[Mapping[str, Any]]:
        """What the server lists, each with its name; empty where it lists nothing."""
        response = self._send("GET", "/models")
        if response.is_error:
            return []
        try:
            listed = json.loads(response.body)["data"]
            return [one for one in listed if isinstance(one["id"], str)]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []

    def _reply_one(self, content: Content, seed: int, changes: Mapping[str, Any]) -> Reply:
        message = {"role": "user", "content": content}
        body = {**self._settings, **changes, "seed": seed % _SEED_LIMIT, "messages": [message]}
        change: Change | None = self._dialect.change
        while change is not None:
            known = change
            response = self._send("POST", "/chat/completions", known.apply(body))
            is_understood = response.status not in _NOT_UNDERSTOOD
            change = None if is_understood else next_change(known, body, response.body)
        if response.is_error:
            raise self._refused(response)
        reply = read_reply(response.body)
        if reply is None:
            raise self._failure(f"sent no chat completion: {shown(response.body, self._api_key)}")
        self._dialect.learn(known)
        return reply

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> _Response:
        """Send a request until it is answered by more than `busy`, or the attempts are spent."""
        request = self._client.build_request(method, f"{self._base_url}{path}", json=body)
        until = time.monotonic() + BUDGET_S
        try:
            return tries(self._pause)(self._send_once, request, until)
        except _BusyResponse as busy:
            return busy.response
        except Busy as error:
            raise self._away(error.__cause__) from error

    def _send_once(self, request: httpx2.Request, until: float) -> _Response:
        try:
            return self._follow(request, until)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout) as error:
            raise Busy from error
        except httpx2.DecodingError as error:
            raise self._failure(f"sent what cannot be unpacked ({error})") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise self._away(error) from error

    def _follow(self, request: httpx2.Request, until: float) -> _Response:
        """Send a request, and again where the server says that it moved within itself.

        Nothing goes to another server: neither the key nor the pictures are its business.
        """
        for _ in range(MAX_REDIRECTS):
            response = self._client.send(request, stream=True)
            try:
                moved = response.next_request
                if moved is None:
                    return self._read(response, until)
            finally:
                response.close()
            if moved.method != request.method or not _is_same_server(request.url, moved.url):
                break
            request = moved
        last = str(request.url if moved is None else moved.url)
        address = last.removesuffix("/chat/completions").removesuffix("/models")
        raise self._failure(f"sends requests on to {address}; if that is meant, write that address instead")

    def _read(self, response: httpx2.Response, until: float) -> _Response:
        """Read a response to its end, as far as size and time allow."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_REPLY_BYTES:
                raise self._failure(
                    f"sent more than {MAX_REPLY_BYTES // 2**20} MiB in answer to one question"
                )
            if time.monotonic() > until:
                raise self._failure(f"was still answering one question after {BUDGET_S:.0f} s")
        read = _Response(response.status_code, body.decode("utf-8", errors="replace"))
        if read.status in _BUSY or read.status >= _SERVER_ERROR:
            raise _BusyResponse(read, asked_wait_s(response.headers.get("Retry-After", "")))
        return read

    def _refused(self, response: _Response) -> StageFailure:
        served = [str(one["id"]) for one in self._models()] if response.status == _NOT_FOUND else []
        words = f"refused with status {response.status}: {shown(response.body, self._api_key)}"
        mend = remedy(response.status, self._model, served, bool(self._api_key))
        return self._failure(f"{words.rstrip('.')}. {mend}" if mend else words)

    def _away(self, error: BaseException | None) -> StageFailure:
        said = str(error) or type(error).__name__
        return self._failure(f"could not be reached ({said}); is it running, and is the address right?")

    def _failure(self, words: str) -> StageFailure:
        return StageFailure(f"The model server at {self._base_url} {words}")


def _is_same_server(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Whether two addresses lead to the same server, whose name may have got a certificate between them."""
    if one.host != other.host:
        return False
    is_upgrade = (one.scheme, other.scheme) == ("http", "https")
    return is_upgrade or (one.scheme, one.port) == (other.scheme, other.port)
