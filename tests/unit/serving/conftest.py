"""A server of a tiny model on a port of this machine, as anybody asks it."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from blip_core.inference.loaded import LoadedModel
from blip_core.kinds import kind_of
from blip_core.recipes import Inference
from blip_core.serving.app import Service, create_app
from blip_core.serving.hosts import allowed_hosts
from blip_core.serving.limits import Limits
from blip_core.serving.questions import Asking
from blip_core.serving.running import address_of, listen
from blip_core.serving.worker import Worker

NAME = "tiny"


@pytest.fixture(scope="session")
def tiny_model(tiny_blip2) -> LoadedModel:
    from blip_core.modeling import load_blip2

    return LoadedModel(load_blip2(tiny_blip2("t5"), "none", "cpu"), None, "whole")


@pytest.fixture(scope="session")
def asking(inference_settings: Inference) -> Asking:
    def alone(task: str) -> Inference:
        return inference_settings.by_prompt(kind_of(task).prompt)

    return Asking("mcq", {"mcq": inference_settings, "vqa": alone("vqa"), "caption": alone("caption")})


@contextmanager
def served(
    asking: Asking, load: Callable[[], Any], limits: Limits | None = None, key: str = ""
) -> Iterator[tuple[str, Service]]:
    """Address of a server and what it is made of."""
    limits = limits or Limits()
    worker = Worker(load, asking.settings, limits)
    worker.start()
    service = Service(NAME, {"digest": "d1"}, asking, worker, limits)
    bound = listen("127.0.0.1", 0)
    app = create_app(service, allowed_hosts("127.0.0.1", [], key, "FOUNDRY_SERVE_KEY"), key)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none", http="h11"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield address_of(bound), service
    finally:
        server.should_exit = True
        thread.join()
        service.close()
        bound.close()


@pytest.fixture(scope="module")
def server(asking: Asking, tiny_model: LoadedModel) -> Iterator[str]:
    with served(asking, lambda: tiny_model) as (address, _):
        yield address


@pytest.fixture
def client(server: str) -> Iterator[httpx.Client]:
    with at(server) as client:
        yield client


def at(address: str) -> httpx.Client:
    """A client of a server."""
    return httpx.Client(base_url=address, trust_env=False, timeout=60)


def data_address(picture: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def body(text: str, picture: bytes | str = b"", **changes: Any) -> dict[str, Any]:
    """A request about a picture; of its bytes, or of an address as it stands."""
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    if picture:
        address = picture if isinstance(picture, str) else data_address(picture)
        parts.insert(0, {"type": "image_url", "image_url": {"url": address}})
    return {"model": NAME, "messages": [{"role": "user", "content": parts}], **changes}
