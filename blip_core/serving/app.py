"""The HTTP face: chat completions, the list of models, what it counts, and whether it is there and ready."""

import asyncio
import hmac
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blip_core.errors import FoundryError, RequestRefused
from blip_core.inference.requests import Response as Answer
from blip_core.serving.completions import completion, error_body, models, refusal
from blip_core.serving.hosts import named_host
from blip_core.serving.limits import MIB, Limits
from blip_core.serving.metrics import CONTENT_TYPE, Metrics
from blip_core.serving.questions import Asking
from blip_core.serving.reading import read_request
from blip_core.serving.streams import MEDIA_TYPE, events
from blip_core.serving.worker import Job, Worker

COMPLETIONS, MODELS, METRICS = "/v1/chat/completions", "/v1/models", "/metrics"
HEALTH, READY = "/health", "/ready"
READERS = 2
"""Threads that read bodies and decode pictures: few, so that few large pictures are in memory at once."""
DRAINED_BODIES = 4
"""Bodies' lengths that are still taken from somebody who sends too much, so that the refusal is heard."""
GONE_POLL_S = 0.25
_GONE = 499  # nobody hears it: for the log
_PROBES = (HEALTH, READY)
_NAMED = (COMPLETIONS, MODELS, METRICS)

logger = logging.getLogger(__name__)


class Service:
    """What the requests of a server share; used from its event loop alone.

    Args:
        name: that the model is served by.
        facts: further fields of its entry in the list of models.
        asking: how messages are understood.
        worker: who answers.
        limits: what requests may cost.
    """

    def __init__(
        self, name: str, facts: Mapping[str, str], asking: Asking, worker: Worker, limits: Limits
    ) -> None:
        self.name = name
        self._facts = dict(facts)
        self._asking = asking
        self._worker = worker
        self._limits = limits
        self._created = int(time.time())
        self._inside = 0
        self._held_bytes = 0
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self.counts = Metrics(lambda: self._inside, lambda: worker.waiting)
        worker.watch = self.counts.batch

    async def complete(self, request: Request) -> Response:
        """Answer one chat completion; whatever is wrong with it is told in one sentence."""
        try:
            with self._let_in():
                return await self._complete(request)
        except ClientDisconnect:
            return Response(status_code=_GONE)
        except FoundryError as error:
            return self._told(refusal(error))
        except Exception as error:
            logger.exception("a request could not be answered")
            return self._told(refusal(error))

    def _told(self, error: RequestRefused) -> Response:
        self.counts.refused(error.code)
        return _refused(error)

    async def metrics(self, request: Request) -> Response:
        """What the server counts of itself."""
        del request
        return Response(self.counts.text(), media_type=CONTENT_TYPE)

    async def models(self, request: Request) -> Response:
        """The one model."""
        del request
        return JSONResponse(models(self.name, self._facts, self._created))

    async def health(self, request: Request) -> Response:
        """Whether the process is there and its model works."""
        del request
        return _state(self._worker.is_alive)

    async def ready(self, request: Request) -> Response:
        """Whether a request would be let in now."""
        del request
        return _state(self._worker.is_alive and self._inside < self._limits.waiting)

    def close(self) -> None:
        """Answer what waits, and end all threads."""
        self._worker.stop()
        self._readers.shutdown()

    @contextmanager
    def _let_in(self) -> Iterator[None]:
        if self._inside >= self._limits.waiting:
            raise self._busy(f"{self._inside} requests are waiting already")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def _busy(self, words: str) -> RequestRefused:
        wait_s = self._limits.retry_after_s
        return RequestRefused(f"{words}: come again after {wait_s} s", 429, "server_busy", wait_s=wait_s)

    async def _complete(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RequestRefused("the Content-Type has to be application/json", 415, "unsupported_media_type")
        body = bytearray()
        try:
            await self._receive(request, body)
            return await self._answer(request, bytes(body))
        finally:
            self._held_bytes -= len(body)

    async def _answer(self, request: Request, body: bytes) -> Response:
        asked = await asyncio.get_running_loop().run_in_executor(
            self._readers, read_request, body, self._limits
        )
        if asked.model != self.name:
            raise RequestRefused(
                f"the model {asked.model[:100]!r} is not served here: {self.name} is",
                404,
                "model_not_found",
                "model",
            )
        task, wanted = self._asking.understand(asked)
        job = Job(task, wanted, asked.text, asked.max_tokens)
        answer = await self._wait(job, request)
        if answer.is_cut_prompt:
            raise RequestRefused(
                "the text leaves no room in the model's context: shorten it",
                code="context_length_exceeded",
                param="messages",
            )
        whole = completion(self.name, answer, asked.top_logprobs)
        if not asked.stream:
            return JSONResponse(whole)
        unkept = {"Cache-Control": "no-cache"}
        return Response(events(whole, asked.tells_usage), media_type=MEDIA_TYPE, headers=unkept)

    async def _receive(self, request: Request, body: bytearray) -> None:
        """Take in a body, as far as size, time and memory allow."""
        most = self._limits.body_bytes
        too_long = RequestRefused(
            f"the body is longer than {most // MIB} MiB: send a smaller picture", 413, "request_too_large"
        )
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > DRAINED_BODIES * most:
            raise too_long
        came = 0
        try:
            async with asyncio.timeout(self._limits.receive_s):
                async for chunk in request.stream():
                    came += len(chunk)
                    if came > DRAINED_BODIES * most:
                        raise too_long
                    if came <= most:
                        body += chunk
                        self._held_bytes += len(chunk)
                    if self._held_bytes > self._limits.held_bytes:
                        raise self._busy("the bodies of other requests fill the memory that is set aside")
        except TimeoutError:
            raise RequestRefused(
                f"the body did not arrive within {self._limits.receive_s:.0f} s", 408, "request_timeout"
            ) from None
        if came > most:
            raise too_long

    async def _wait(self, job: Job, request: Request) -> Answer:
        """Wait for the model, as long as somebody waits for its answer."""
        self._worker.add(job)
        future = asyncio.wrap_future(job.future)
        until = time.monotonic() + self._limits.answer_s
        while not (await asyncio.wait({future}, timeout=GONE_POLL_S))[0]:
            if await request.is_disconnected():
                future.cancel()
                raise ClientDisconnect
            if time.monotonic() > until:
                future.cancel()
                raise RequestRefused(
                    f"no answer within {self._limits.answer_s:.0f} s: the server is behind, come again later",
                    503,
                    "server_busy",
                    wait_s=self._limits.retry_after_s,
                )
        return future.result()


class Guard:
    """Lets in who names this server and bears its key, and writes a line about each request.

    A line tells method, path, status, seconds and who asked; nothing that was sent or answered.

    Args:
        app: what is guarded.
        hosts: names that the header `Host` may give.
        key: that requests have to bear; empty, none.
        counts: where requests are counted.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], key: str, counts: Metrics) -> None:
        self._app = app
        self._counts = counts
        self._hosts = hosts
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), _GONE

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        if scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if problem is not None:
            self._counts.refused(problem.code)
        answer: ASGIApp = self._app if problem is None else _refused(problem)
        await answer(scope, receive, noted)
        seconds, path = time.monotonic() - began, _path(scope)
        self._counts.answered(path, status, seconds if path == COMPLETIONS else None)
        logger.info("%s", _line(scope, path, status, seconds))

    def _problem(self, scope: Scope) -> RequestRefused | None:
        host = named_host(scope["headers"])
        if host not in self._hosts:
            return RequestRefused(
                f"this server does not go by the name {host[:100]!r}: start it with --allowed-host for that",
                421,
                "unknown_host",
            )
        if self._key and not hmac.compare_digest(_bearer(scope), self._key):
            return RequestRefused(
                "the key is missing or another: send it as Authorization: Bearer KEY", 401, "invalid_api_key"
            )
        return None


def create_app(service: Service, hosts: frozenset[str], key: str) -> ASGIApp:
    """The application of a server."""
    routes = [
        Route(COMPLETIONS, service.complete, methods=["POST"]),
        Route(MODELS, service.models, methods=["GET"]),
        Route(METRICS, service.metrics, methods=["GET"]),
        Route(HEALTH, service.health, methods=["GET"]),
        Route(READY, service.ready, methods=["GET"]),
    ]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    return Guard(inner, hosts, key, service.counts)


async def _no_route(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 500
    there = f"POST {COMPLETIONS}, GET {MODELS}, GET {METRICS}, GET {HEALTH} and GET {READY}"
    return _refused(RequestRefused(f"there is nothing here: {there} are", status, "not_found"))


def _refused(error: RequestRefused) -> JSONResponse:
    headers = {"Retry-After": str(error.wait_s)} if error.wait_s else {}
    return JSONResponse(error_body(error), error.status, headers)


def _state(is_well: bool) -> Response:
    return JSONResponse({"status": "ok" if is_well else "unavailable"}, 200 if is_well else 503)


def _bearer(scope: Scope) -> bytes:
    given: bytes = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, key = given.partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else b""


def _path(scope: Scope) -> str:
    """A path of ours; any other is somebody's text, which is neither logged nor counted by itself."""
    return scope["path"] if scope["path"] in _NAMED else "another path"


def _line(scope: Scope, path: str, status: int, seconds: float) -> str:
    who = (scope.get("client") or ["unknown"])[0]
    return f"{scope['method']} {path} {status} {seconds:.3f} s from {who}"
