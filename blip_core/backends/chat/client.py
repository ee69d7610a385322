"""A client of one server: requests that are bounded in number, time and size."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Self

import httpx2

from blip_core import strict_json
from blip_core.backends.chat.at_once import ask_at_once
from blip_core.backends.chat.dialect import FORMAT, THINKING, TOP_LOGPROBS, Change, Dialect, next_change
from blip_core.backends.chat.keeping import KeptReplies, request_key
from blip_core.backends.chat.metering import Meter
from blip_core.backends.chat.refusing import remedy, shown
from blip_core.backends.chat.reply import Content, Reply, read_reply
from blip_core.backends.chat.structure import Structure
from blip_core.backends.chat.trying import ATTEMPTS, BUDGET_S, Busy, Pause, asked_wait_s, tries
from blip_core.connecting import http_client, timeout_of
from blip_core.errors import ServerAway, StageFailure
from blip_core.ports import Costs

TIMEOUT_S = 600.0  # one long answer of a large model on a busy server
REQUESTS_AT_ONCE = 8  # servers of this kind batch what arrives together
MAX_REPLY_BYTES = 64 * 2**20  # twenty alternatives to each of 30,000 tokens of thinking
MAX_REDIRECTS = 3
_BUSY = (408, 425, 429)  # with all from 500 on: the same request may succeed a moment later
_SERVER_ERROR = 500
_NOT_UNDERSTOOD = (400, 422)
_NO_ENTRY = (401, 403)
_NOT_FOUND = 404
_SEED_LIMIT = 2**31  # some servers keep seeds in 32 bits
# What no request changes: vLLM and SGLang; servers that tell a version; llama.cpp.
_TELLING = (
    *("id", "root", "parent", "max_model_len", "quantization"),
    *("revision", "version", "digest", "sha", "meta"),
)
_NO_THINKING = {"enable_thinking": False, "thinking": False}  # Qwen, GLM and others; DeepSeek, Granite
_SHORT_TOKENS = 16  # of the answer that shows whether a name is served
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
        structure: form that answers are asked for in, where the server can; absent, none.
        thinks: whether the model may think before it answers; else it is told not to.
        meter: counts requests and bounds them; absent, they are counted alone.
        kept: answers that need not be asked for again; absent, none.
        attempts: of one request, where the server is busy or away.
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
        structure: Structure | None = None,
        thinks: bool = True,
        meter: Meter | None = None,
        kept: KeptReplies | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._settings: dict[str, Any] = {
            "model": model,
            "temperature": temperature,
            "max_tokens": max_new_tokens,
        }
        if top_p != _DEFAULT_TOP_P:
            self._settings["top_p"] = top_p
        if not thinks:
            self._settings[THINKING] = _NO_THINKING
        self._api_key = api_key
        self._requests_at_once = requests_at_once
        self._pause = pause
        self._named = f"The model server at {self._base_url}"
        self._dialect = dialect or Dialect(self._named)
        self._structure = structure
        self._meter = meter or Meter()
        self._kept = kept
        self._attempts = attempts
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = http_client(base_url, TIMEOUT_S, headers=headers, connections=requests_at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def costs(self) -> Costs:
        """What was asked so far, and answered."""
        return self._meter.costs

    def ask(self, contents: Sequence[Content], seeds: Sequence[int]) -> list[str]:
        """Answer each user message under its own seed, in order; the texts alone, see `reply`."""
        return [reply.text for reply in self.reply(contents, seeds)]

    def reply(
        self,
        contents: Sequence[Content],
        seeds: Sequence[int],
        *,
        with_chances: bool = False,
        with_confidence: bool = False,
        max_new_tokens: int | None = None,
    ) -> list[Reply]:
        """Answer each user message under its own seed, in order.

        Args:
            contents: what is asked.
            seeds: one a message.
            with_chances: whether probabilities are asked for, too; a server that refuses to tell them is
                asked without.
            with_confidence: whether those of the tokens that are written are asked for, without their
                alternatives.
            max_new_tokens: longest answer, where it is not that of the client.

        Raises:
            BudgetSpent: when no more may be asked.
            StageFailure: when the client is closed, or the server cannot be reached, refuses or
                answers something else.
        """
        rows = list(zip(contents, seeds, strict=True))
        if self._client.is_closed:
            raise StageFailure(f"The client of {self._base_url} was closed and takes no more work.")
        changes: dict[str, Any] = {"max_tokens": max_new_tokens} if max_new_tokens else {}
        if with_confidence:
            changes |= {"logprobs": True}
        if with_chances:
            changes |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        with self._meter.running():
            return ask_at_once(lambda row: self._reply_one(*row, changes), rows, self._requests_at_once)

    def model_facts(self) -> str:
        """What the server tells of the model, as JSON that stays the same while it serves it.

        Empty where it tells nothing: `/models` is not part of every server.

        Raises:
            StageFailure: The server cannot be reached, or refuses the key.
        """
        told = next((one for one in self._models() if one["id"] == self._model), {})
        facts = {name: told[name] for name in _TELLING if told.get(name) is not None}
        return strict_json.dumps(facts, sort_keys=True) if facts else ""

    def check_served(self) -> None:
        """Make sure that the server knows the model; where it does not list it, by one short question.

        Raises:
            StageFailure: It cannot be reached, or refuses.
        """
        listed = [one["id"] for one in self._models()]
        if self._model not in listed:
            self.reply(["Hello"], [0], max_new_tokens=_SHORT_TOKENS)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _models(self) -> list[Mapping[str, Any]]:
        """What the server lists, each with its name; empty where it lists nothing."""
        response = self._send("GET", "/models")
        if response.status in _NO_ENTRY:
            raise self._refused(response)
        if response.is_error:
            return []
        try:
            listed = json.loads(response.body)["data"]
            return [one for one in listed if isinstance(one["id"], str)]
        except (ValueError, KeyError, TypeError, RecursionError):
            return []

    def _reply_one(self, content: Content, seed: int, changes: Mapping[str, Any]) -> Reply:
        if self._kept is None:
            return self._ask(content, seed, changes)
        key = request_key(self._body(content, seed, changes, Change()))
        reply = self._kept.find(key)
        if reply is not None:
            self._meter.answered(reply, is_kept=True)
            return reply
        reply = self._ask(content, seed, changes)
        self._kept.keep(key, reply)
        return reply

    def _ask(self, content: Content, seed: int, changes: Mapping[str, Any]) -> Reply:
        """Ask one row, with fewer parameters each time that the server refuses one."""
        known = self._dialect.change
        asked = 0
        while True:
            body = self._body(content, seed, changes, known)
            response = self._send("POST", "/chat/completions", known.apply(body), is_repeated=asked > 0)
            asked += 1
            change = next_change(known, body, response.body) if response.status in _NOT_UNDERSTOOD else None
            if change is not None:
                known = change
                continue
            reply = self._read_reply(response)
            self._meter.answered(reply)
            self._dialect.learn(known)
            formed = self._formed(reply) if FORMAT in known.apply(body) else reply
            if formed is not None:
                return formed
            known = known.drop(FORMAT)  # what answers in another form did not heed it

    def _body(self, content: Content, seed: int, changes: Mapping[str, Any], known: Change) -> dict[str, Any]:
        """A request's body, as it would be sent to a server that understands everything but what is known."""
        form: dict[str, Any] = {}
        if self._structure is not None and FORMAT not in known.without:
            form = {FORMAT: self._structure.to_format()}
            content = _with_words(content, self._structure.words)
        messages = [{"role": "user", "content": content}]
        return {**self._settings, **changes, **form, "seed": seed % _SEED_LIMIT, "messages": messages}

    def _read_reply(self, response: _Response) -> Reply:
        if response.is_error:
            raise self._refused(response)
        reply = read_reply(response.body)
        if reply is None:
            raise self._failure(f"sent no chat completion: {shown(response.body, self._api_key)}")
        return reply

    def _formed(self, reply: Reply) -> Reply | None:
        """A structured reply as text; as it is where it broke off, and None where it is of no such form."""
        is_broken_off = reply.is_cut and reply.text.startswith("{")
        if self._structure is None or is_broken_off or reply.is_refused or not reply.text:
            return reply
        text = self._structure.read(reply.text)
        return None if text is None else _rewritten(reply, text)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, is_repeated: bool = False
    ) -> _Response:
        """Send a request until it is answered by more than `busy`, or the attempts are spent."""
        sent = 1 if is_repeated else 0
        heard: list[_Response] = []  # what says later, or errs

        def send() -> _Response:
            nonlocal sent
            if body is not None:
                self._meter.begin(is_repeated=sent > 0)
            sent += 1
            timeout = self._meter.remaining_s(TIMEOUT_S)
            request = self._client.build_request(
                method, f"{self._base_url}{path}", json=body, timeout=timeout_of(timeout)
            )
            try:
                return self._send_once(request, time.monotonic() + self._meter.remaining_s(BUDGET_S))
            except _BusyResponse as busy:
                heard.append(busy.response)
                raise

        try:
            return tries(self._pause, self._attempts)(send)
        except _BusyResponse as busy:
            return busy.response
        except Busy as error:
            if body is None and heard:
                return heard[-1]  # some drop the connection behind an error: they are there all the same
            raise self._away(error.__cause__) from error

    def _send_once(self, request: httpx2.Request, until: float) -> _Response:
        try:
            return self._follow(request, until)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout) as error:
            raise Busy from error
        except httpx2.DecodingError as error:
            raise self._failure(f"sent what cannot be unpacked ({error})") from error
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            self._meter.refuse_late()
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
                self._meter.refuse_late()
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
        return ServerAway(
            f"{self._named} could not be reached ({said}); is it running, and is the address right?"
        )

    def _failure(self, words: str) -> StageFailure:
        return StageFailure(f"{self._named} {words}")


def _rewritten(reply: Reply, text: str) -> Reply:
    """A reply in another form; a token keeps to what the forms have in common."""
    blocks = SequenceMatcher(None, reply.text, text, autojunk=False).get_matching_blocks()
    moved = {block.a + place: block.b + place for block in blocks for place in range(block.size)}
    pairs = zip(reply.starts, reply.log_probabilities, strict=True)
    kept = [(moved[start], chance) for start, chance in pairs if start in moved]
    starts, chances = zip(*kept, strict=True) if kept else ((), ())
    return replace(reply, text=text, chances={}, starts=starts, log_probabilities=chances)


def _with_words(content: Content, words: str) -> Content:
    """A message with words behind its text."""
    if isinstance(content, str):
        return f"{content}\n\n{words}"
    *before, last = content
    return [*before, {**last, "text": f"{last['text']}\n\n{words}"}]


def _is_same_server(one: httpx2.URL, other: httpx2.URL) -> bool:
    """Whether two addresses lead to the same server, whose name may have got a certificate between them."""
    if one.host != other.host:
        return False
    is_upgrade = (one.scheme, other.scheme) == ("http", "https")
    return is_upgrade or (one.scheme, one.port) == (other.scheme, other.port)
