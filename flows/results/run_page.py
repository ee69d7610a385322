"""What Prefect's page of a run shows while it works: lines of stages and epochs, and how far long stages are.

Prefect sends log lines from a thread of its own, and progress is posted from another: a server that is slow
or away holds no run up.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.context import FlowRunContext

from blip_core.reporting.pace import Pace, progress_words
from blip_core.reporting.words import progress_unit, stage_line

LONG_SECONDS = 10.0  # a stage that takes longer shows its progress
POST_SECONDS = 5.0  # between two posts of progress
CLOSE_SECONDS = 5.0  # so long a run that is over waits for the last post
_NO_KEY = re.compile(r"[^a-z0-9]+")

Log = Callable[[int, str], None]
Post = Callable[[str, float, str], None]

logger = logging.getLogger(__name__)


class RunPage:
    """The page of a flow run.

    Args:
        log: takes a level and a line; None shows nothing, as for flows that are called without Prefect.
        post: shows how far a stage is: its name, per cent, and words.
    """

    def __init__(self, log: Log | None, post: Post) -> None:
        self._log = log
        self._posts = LatestPosts(post, POST_SECONDS)
        self._stage = ""
        self._pace = Pace(time.monotonic)
        self._began = 0.0
        self._shown = False

    def say(self, text: str, level: int = logging.INFO) -> None:
        """Add a line to the run's log."""
        if self._log:
            self._log(level, text)

    def begin(self, stage: str, cached: bool) -> None:
        self._stage, self._pace, self._shown = stage, Pace(time.monotonic), False
        self._began = time.monotonic()
        if not cached:
            self.say(f"{stage}: begins")

    def progress(self, done: int, total: int) -> None:
        unit = progress_unit(self._stage)
        rate = self._pace.add(done)
        if not self._log or not unit or not total or time.monotonic() - self._began < LONG_SECONDS:
            return
        self._shown = True
        self._posts.offer(self._stage, 100 * done / total, progress_words(done, total, unit, rate))

    def end(self, stage: str, seconds: float, cached: bool, told: Mapping[str, Any]) -> None:
        line = stage_line(stage, seconds, cached, told)
        self.say(line)
        if self._shown:
            self._posts.offer(stage, 100.0, line)

    def fail(self, stage: str) -> None:
        self.say(f"{stage}: failed after {time.monotonic() - self._began:.1f} s", logging.ERROR)

    def pause(self, stage: str) -> None:
        self.say(f"{stage}: stopped after {time.monotonic() - self._began:.1f} s; what is whole is kept")

    def close(self) -> None:
        """Wait, a short while, for what is still to be posted; closing again does nothing."""
        self._posts.close(CLOSE_SECONDS)


class LatestPosts:
    """Posts the newest state of each of several things from a thread of its own, not too often.

    Args:
        post: what is called with a name, per cent and words; whatever it raises is logged and forgotten.
        every_seconds: between two rounds.
    """

    def __init__(self, post: Post, every_seconds: float) -> None:
        self._post = post
        self._every_seconds = every_seconds
        self._waiting: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, name: str, percent: float, words: str) -> None:
        """Have a state posted; one that was not posted yet is replaced."""
        with self._lock:
            self._waiting[name] = (percent, words)
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="progress-posts", daemon=True)
            self._thread.start()

    def close(self, seconds: float) -> None:
        """Let the thread post what waits and end, and wait for it no longer than `seconds`."""
        self._over.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            is_last = self._over.is_set()
            self._post_waiting()
            if is_last:
                return
            self._over.wait(self._every_seconds)

    def _post_waiting(self) -> None:
        with self._lock:
            due, self._waiting = self._waiting, {}
        for name, (percent, words) in due.items():
            try:
                self._post(name, percent, words)
            except Exception as error:  # noqa: BLE001 - a page that cannot be reached must not end a run
                logger.debug("The progress of %s could not be shown: %s", name, error)


class ProgressArtifacts:
    """A progress artefact a stage on the page of the flow run in whose context it is made."""

    def __init__(self) -> None:
        self._context: Context = copy_context()  # a thread does not know which run it works for
        self._made: dict[str, UUID] = {}

    def post(self, stage: str, percent: float, words: str) -> None:
        """Make the artefact of a stage, or move it on."""
        self._context.run(self._show, stage, percent, words)

    def _show(self, stage: str, percent: float, words: str) -> None:
        told = f"{stage}: {words}" if not words.startswith(stage) else words
        if stage in self._made:
            update_progress_artifact(self._made[stage], percent, told)
            return
        key = f"progress-{_NO_KEY.sub('-', stage.lower()).strip('-')}"
        made = create_progress_artifact(percent, key=key, description=told)
        self._made[stage] = cast(UUID, made)  # of a thread without event loop it is no coroutine


def run_page() -> RunPage:
    """The page of the flow run that is under way; of none, one that shows nothing."""
    if FlowRunContext.get() is None:
        return RunPage(None, lambda *_: None)
    return RunPage(log_of_flow_run(), ProgressArtifacts().post)


def log_of_flow_run() -> Log:
    """Writes to the log of the flow run that is under way, and of the one below it that a line comes from."""
    outer = get_run_logger()

    def log(level: int, text: str) -> None:
        outer.log(level, text)
        inner = get_run_logger()
        if _run_of(inner) != _run_of(outer):
            inner.log(level, text)

    return log


def _run_of(run_logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> object:
    return (getattr(run_logger, "extra", None) or {}).get("flow_run_id")
