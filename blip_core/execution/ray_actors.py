"""Workers as actors of a Ray cluster that an operator runs; the only file that knows Ray."""

import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]
from ray.exceptions import AuthenticationError, RayError

from blip_core import strict_json
from blip_core.errors import PlaceError
from blip_core.execution.messages import Message
from blip_core.execution.pool import Heard
from blip_core.execution.resident import Resident

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 2.5  # with the one before: under five until a wrong address is told
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4
_HTTP2_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # an empty frame of settings, 6.5
_FRAME_HEADER_BYTES, _FRAME_TYPE, _SETTINGS = 9, 3, 4  # RFC 9113, 4.1
_HOW_TO_LOG_IN = (
    "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to a file that only you can read and that holds the "
    "cluster's token"
)


class Actor:
    """Follows orders in one thread, where models are opened as well: OpenMP counts threads by thread."""

    def __init__(self) -> None:
        self._orders: SimpleQueue[Message] = SimpleQueue()
        self._said: SimpleQueue[Message | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="resident", daemon=True).start()

    def begin(self) -> Iterator[str]:
        """Say that it is ready."""
        yield strict_json.dumps({"ready": os.getpid()})

    def follow(self, order: str) -> Iterator[str]:
        """Follow an order; gives what is said meanwhile."""
        self._orders.put(strict_json.loads(order))
        while (message := self._said.get()) is not None:
            yield strict_json.dumps(message)

    def _serve(self) -> None:
        resident = Resident(self._said.put)
        while True:
            resident.follow(self._orders.get())
            self._said.put(None)


class RayWorker:
    """An actor, from the side of whoever asked; see `pool.Worker`."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self._actor = actor
        self._streams: deque[Any] = deque([actor.begin.options(num_returns="streaming").remote()])
        self._how = ""
        self.is_gone = False

    @property
    def stream(self) -> Any | None:
        """What it says next; None while there is nothing to say."""
        return self._streams[0] if self._streams and not self.is_gone else None

    def send(self, order: Message) -> None:
        """Give it an order; they are followed one after the other."""
        told = strict_json.dumps(order)
        self._streams.append(self._actor.follow.options(num_returns="streaming").remote(told))

    def said(self) -> list[Message | None]:
        """The next that it said; None once it is gone."""
        try:
            return [strict_json.loads(ray.get(next(self._streams[0])))]
        except StopIteration:
            self._streams.popleft()
            return []
        except RayError as error:
            self._how = f"was lost: {next(iter(str(error).splitlines()), type(error).__name__)}"
            self.is_gone = True
            return [None]

    def end(self) -> str:
        """End it at once; how it had ended, if it had."""
        self.is_gone = True
        with suppress(RayError):
            ray.kill(self._actor, no_restart=True)
        return self._how


class RayActors:
    """Starts and hears actors; see `pool.Launcher`.

    Args:
        address: of the cluster, as `HOST:PORT`; this machine is one of its nodes.
        cpus: that an actor takes.
        gpus: the same; a share lets several stand on one.

    Raises:
        PlaceError: There is no cluster, it refuses us, or none of its nodes has room for an actor.
    """

    def __init__(self, address: str, cpus: float, gpus: float) -> None:
        check_cluster(address)
        try:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        except (RayError, ConnectionError, RuntimeError, ValueError) as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise PlaceError(
                f"the Ray cluster at {address} takes no run from here: {said} A run has to be started on one "
                "of its nodes"
            ) from error
        _check_room(address, cpus, gpus)
        self._actors = ray.remote(Actor).options(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )
        self._workers: list[RayWorker] = []

    def start(self, number: int) -> RayWorker:
        """Ask for an actor, wherever there is room; it begins when there is."""
        worker = RayWorker(f"worker {number + 1}", self._actors.remote())
        self._workers.append(worker)
        return worker

    def hear(self, seconds: float) -> list[Heard]:
        """Wait until somebody says something, or is gone."""
        self._workers = [one for one in self._workers if not one.is_gone]
        speaking = {one.stream: one for one in self._workers if one.stream is not None}
        if not speaking:
            return []
        ready, _ = ray.wait(list(speaking), num_returns=1, timeout=seconds, fetch_local=False)
        return [Heard(speaking[one], message) for one in ready for message in speaking[one].said()]

    def close(self) -> None:
        """Leave the cluster, which ends what is left of this run there."""
        ray.shutdown()


def check_cluster(address: str) -> None:
    """Make sure within seconds that a cluster is there and takes our token.

    Raises:
        PlaceError: It is not, or does not.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise PlaceError(
            f"RAY_ADDRESS is {address!r}; it has to name a running cluster as HOST:PORT, such as "
            "127.0.0.1:26379"
        )
    try:
        speaks = _speaks_grpc(host.strip("[]"), int(port))
    except OSError as error:
        raise PlaceError(
            f"no Ray cluster is at {address}: {error.strerror or error}. Start one, or name another in "
            "RAY_ADDRESS"
        ) from error
    failed = _refusal(address) if speaks else ConnectionError()
    if isinstance(failed, AuthenticationError):
        raise PlaceError(f"the Ray cluster at {address} does not take this token: {_HOW_TO_LOG_IN}")
    if failed is not None:
        raise PlaceError(
            f"what is at {address} does not answer as a Ray cluster does; name another in RAY_ADDRESS"
        )


def _speaks_grpc(host: str, port: int) -> bool:
    """Whether HTTP/2 is spoken at a port, as by Ray: else its own library would wait for 40 s."""
    with socket.create_connection((host, port), _CONNECT_SECONDS) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        connection.sendall(_HTTP2_PREFACE + _HTTP2_SETTINGS)
        try:
            frame = connection.recv(_FRAME_HEADER_BYTES)
        except TimeoutError:
            return False
    return len(frame) == _FRAME_HEADER_BYTES and frame[_FRAME_TYPE] == _SETTINGS


def _refusal(address: str) -> BaseException | None:
    """What a cluster has against us; silence counts as that.

    Asked through a client that is not public: those that are wait for 20 s where a token is wrong.
    """
    failed: list[BaseException | None] = []

    def ask() -> None:
        try:
            GcsClient(address=address).internal_kv_keys(b"", namespace=b"foundry", timeout=_ANSWER_SECONDS)
            failed.append(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told apart above
            failed.append(error)

    asking = threading.Thread(target=ask, name="ask-cluster", daemon=True)
    with _silent():
        asking.start()
        asking.join(_ANSWER_SECONDS)
    return failed[0] if failed else TimeoutError()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what Ray's own library writes to standard error, at no level that could be set, from people."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_room(address: str, cpus: float, gpus: float) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        return
    ray.shutdown()
    has = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
    raise PlaceError(
        f"no node of the Ray cluster at {address} has {cpus:g} CPUs and {gpus:g} GPUs for an actor ({has}); "
        "lower device.worker_cpus, device.threads or device.worker_gpus"
    )
