"""One thread that holds the model, and the queue before it: requests that come together share a batch."""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from blip_core.errors import FoundryError, RequestRefused
from blip_core.inference.batching import windows
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.encoding import PictureEncoder
from blip_core.inference.loaded import LoadedModel
from blip_core.inference.predicting import WINDOW_ROWS
from blip_core.inference.requests import Request, Response, respond, text_ids
from blip_core.modeling.features import picture_key
from blip_core.modeling.text import position_limit
from blip_core.recipes.inference import Inference
from blip_core.serving.limits import Limits

KEPT_PICTURES = 256
"""Encoded pictures that are kept: whoever describes and then answers shows the same one several times."""

Load = Callable[[], LoadedModel]
Watch = Callable[[str, int, float], None]
"""Is told of each batch: task, rows, seconds of the model."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A request that waits.

    Attributes:
        task: by whose settings it is answered.
        request: what is asked.
        text: of its message, whose tokens are counted.
        max_tokens: longest answer; None, as long as the settings say.
        future: gets the response; cancelled, nobody waits for it any more.
        asked_at: when it came, seconds of the monotonic clock.
    """

    task: str
    request: Request
    text: str
    max_tokens: int | None
    future: "Future[Response]" = field(default_factory=Future)
    asked_at: float = field(default_factory=time.monotonic)


class Worker:
    """Answers jobs in a thread of its own, which loads the model: threads of torch are the thread's own.

    Args:
        load: gives the model.
        settings: by task; batch sizes are theirs.
        limits: how long a job waits for others, and how long its text may be.
    """

    def __init__(self, load: Load, settings: Mapping[str, Inference], limits: Limits) -> None:
        self.watch: Watch | None = None
        self._load = load
        self._settings = settings
        self._limits = limits
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loaded: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._pictures = _Pictures()

    def start(self) -> None:
        """Load the model and wait until it is there; whatever keeps it from loading is raised here."""
        self._thread.start()
        self._loaded.result()

    @property
    def is_alive(self) -> bool:
        """Whether jobs are worked on."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Jobs that no batch has taken yet."""
        return self._jobs.qsize()

    def add(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Answer what waits, and end."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            model = self._load()
            model.bundle.model.eval()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._loaded.set_exception(error)
            return
        self._loaded.set_result(None)
        going_on = True
        while going_on:
            jobs, going_on = self._next_jobs()
            waiting = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            for task in dict.fromkeys(job.task for job in waiting):
                self._work(model, [job for job in waiting if job.task == task], self._settings[task])

    def _next_jobs(self) -> tuple[list[Job], bool]:
        """The jobs of a batch, those that come a moment later among them; and whether more may come."""
        first = self._jobs.get()
        if first is None:
            return [], False
        jobs = [first]
        until = time.monotonic() + self._limits.collect_s
        while len(jobs) < self._settings[first.task].batch_size:
            try:
                following = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                return jobs, False
            jobs.append(following)
        return jobs, True

    def _work(self, model: LoadedModel, jobs: Sequence[Job], settings: Inference) -> None:
        fitting = [job for job in jobs if not self._is_too_long(model, job)]
        if not fitting:
            return
        began = time.monotonic()
        try:
            responses = self._respond(model, fitting, settings)
        except Exception as error:  # noqa: BLE001 - one of them may be at fault: the others get their answers
            if len(fitting) == 1:
                _fail(fitting[0], error)
                return
            for job in fitting:
                self._work(model, [job], settings)
            return
        if self.watch:
            self.watch(fitting[0].task, len(fitting), time.monotonic() - began)
        for job, response in zip(fitting, responses, strict=True):
            job.future.set_result(response.shortened(model.bundle, job.max_tokens))

    def _is_too_long(self, model: LoadedModel, job: Job) -> bool:
        limits = [self._limits.prompt_tokens, position_limit(model.bundle)]
        most = min(limit for limit in limits if limit is not None)
        tokens = len(text_ids(model.bundle, job.text))
        if tokens > most:
            _fail(job, _too_long(f"the text has {tokens:,} tokens and at most {most:,} are read"))
        return tokens > most

    @torch.inference_mode()
    def _respond(self, model: LoadedModel, jobs: Sequence[Job], settings: Inference) -> list[Response]:
        requests = [job.request for job in jobs]
        return respond(model.bundle, requests, settings, self._pictures.of(model, requests, settings))


def answer_rows(
    model: LoadedModel, rows: Sequence[tuple[str, Request]], settings: Mapping[str, Inference]
) -> list[Response]:
    """Answer the rows of a table at once, in order.

    Args:
        model: who answers, in this thread.
        rows: each with the task by whose settings it is answered.
        settings: by task.
    """
    pictures = _Pictures()
    found: dict[int, Response] = {}
    with torch.inference_mode():
        for task in dict.fromkeys(task for task, _ in rows):
            places = [place for place, (own, _) in enumerate(rows) if own == task]
            for window in windows(places, WINDOW_ROWS):
                requests = [rows[place][1] for place in window]
                shown = pictures.of(model, requests, settings[task])
                found.update(zip(window, respond(model.bundle, requests, settings[task], shown), strict=True))
    return [found[place] for place in range(len(rows))]


class _Pictures:
    """What the model makes of pictures, of the latest ones kept for whoever asks about them again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    def of(self, model: LoadedModel, requests: Sequence[Request], settings: Inference) -> dict[str, Tensor]:
        """Each picture's part by its key; see `PictureEncoder`."""
        rows = {picture_key(one.example.image): one.example for one in requests if one.has_picture}
        fresh = [row for key, row in rows.items() if key not in self._kept]
        encoder = PictureEncoder(model.bundle, settings.batch_size, InferenceCounts(), model.states)
        self._kept.update(encoder.features_of(fresh) if fresh else {})
        for key in rows:
            self._kept.move_to_end(key)
        found = {key: self._kept[key] for key in rows}
        while len(self._kept) > KEPT_PICTURES:
            self._kept.popitem(last=False)
        return found


def _fail(job: Job, error: Exception) -> None:
    if not isinstance(error, FoundryError):
        logger.exception("a request could not be answered", exc_info=error)
    job.future.set_exception(error)


def _too_long(words: str) -> RequestRefused:
    return RequestRefused(f"{words}: shorten it", code="context_length_exceeded", param="messages")
