"""What a run leaves behind: lines on a screen, runs in MLflow, artifacts in Prefect, a summary."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from prefect.runtime import flow_run

from blip_core.connecting import without_password
from blip_core.recipes import Recipe
from blip_core.reporting.curves import training_metrics
from blip_core.reporting.screens import NoScreen, Screen
from blip_core.reporting.words import cost_metrics, epoch_words, stage_line
from blip_core.store import Artifact
from blip_core.tracking import link_tags
from blip_core.tracking.runs import JournalledRun
from blip_core.tracking.system_metrics import SystemSampler
from blip_core.wiring import Workplace, git_commit, workplace
from blip_core.wiring.servers import page_of
from flows.cancelling import told_when_cancelled
from flows.heartbeats import without_heartbeats
from flows.limits import on_accelerator
from flows.results.run_page import RunPage, run_page
from flows.results.sharing import SharedRecords, catch_up
from flows.rows.awaiting import review_awaited
from tasks.chosen import SHOWN_CHARS
from tasks.crews import employing
from tasks.stage import watched_by

SAMPLES = "samples.json"  # what a model said while it was tuned, as a table
WHOLE = "pipeline"  # its runs bear the recipe's name alone
ANSWERING = "predict "  # begins the names of stages that a variant's scores are filed under
KILLED = (KeyboardInterrupt, SystemExit)


_SCREEN: ContextVar[Screen] = ContextVar("screen")
_ABOVE: ContextVar[JournalledRun] = ContextVar("above")


@contextmanager
def shown_on(screen: Screen) -> Iterator[None]:
    """Show runs that start inside on a screen."""
    token = _SCREEN.set(screen)
    try:
        yield
    finally:
        _SCREEN.reset(token)


@contextmanager
def recorded_below(run: JournalledRun) -> Iterator[None]:
    """Record runs that start inside as parts of another one, such as the seeds of one recipe."""
    token = _ABOVE.set(run)
    try:
        yield
    finally:
        _ABOVE.reset(token)


@dataclass(frozen=True)
class StageRecord:
    """How one stage went."""

    artifact: Artifact
    seconds: float
    cached: bool


class Recorder:
    """Watches the stages of one run and keeps a tracked run for each.

    Args:
        recipe: what is run.
        run: the tracked run that the stages' runs stand below.
        screen: shows a line a stage.
        page: shows the same, and more, on Prefect's page of the run.
        place: where all of it rests.
        owner: names the lease that keeps other machines from taking its journals over.
    """

    def __init__(
        self,
        recipe: Recipe,
        run: JournalledRun,
        screen: Screen,
        page: RunPage,
        place: Workplace,
        owner: str = "",
    ) -> None:
        self.recipe = recipe
        self.run = run
        self.place = place
        self.tracking_uri = ""
        self.stages: dict[str, StageRecord] = {}
        self.children: dict[str, JournalledRun] = {}
        self.page = page
        self._shared = SharedRecords(place, owner)
        self._screens: tuple[Screen, ...] = (screen, page)
        self._held: dict[str, list[tuple[Mapping[str, float], int]]] = {}
        self._stage = ""
        self._cached = False
        self._began = 0.0
        self._sampled: list[Mapping[str, Any]] = []
        self._sampler: SystemSampler | None = None

    def begin(self, stage: str, cached: bool) -> None:
        self._stage, self._cached, self._began = stage, cached, time.monotonic()
        if stage not in self.children:  # a dataset that grows passes its stages again, longer each time
            tags = {"foundry.stage": stage, "foundry.cached": str(cached).lower()}
            self.children[stage] = self.run.child(stage, tags)
        self._sampled = []
        if not cached:
            self._sampler = SystemSampler(partial(self._observe, stage)).start()
        for screen in self._screens:
            screen.begin(stage, cached)

    def progress(self, done: int, total: int) -> None:
        self._shared.save_if_due(self._written())
        for screen in self._screens:
            screen.progress(done, total)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.children[self._stage].metrics(training_metrics(values), step)
        self._shared.save_if_due(self._written())

    def epoch(self, epoch: float, epochs: float, metrics: Mapping[str, float]) -> None:
        self.page.say(f"{self._stage}: {epoch_words(epoch, epochs, metrics)}")

    def samples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show what a model that is being tuned says of a few rows, with all it said of them before."""
        self._sampled += rows
        self.children[self._stage].table(self._sampled, SAMPLES)

    def runs_of(self, stage: str) -> list[JournalledRun]:
        """The run of a stage, if it was among those of this run, and the run they all stand below."""
        return [*([self.children[stage]] if stage in self.children else []), self.run]

    def replay_step(self, run: JournalledRun, row: Mapping[str, float]) -> None:
        """Give a run the metrics of a training that was done before."""
        run.metrics(training_metrics(row), int(row["step"]))

    def end(self, artifact: Artifact) -> None:
        self._stop_sampler()
        seconds = time.monotonic() - self._began
        self.stages[self._stage] = StageRecord(artifact, seconds, self._cached)
        child = self.children[self._stage]
        told = {"rows": artifact.rows, **artifact.metadata}
        spent = {"stage/seconds": seconds, "stage/rows": artifact.rows, "stage/cached": float(self._cached)}
        self._observe(self._stage, spent | cost_metrics(told))
        child.tags({"foundry.key": artifact.key, "foundry.digest": artifact.digest})
        child.note(stage_line(self._stage, seconds, self._cached, told))
        self._shared.save(self._written())  # before anybody is told that the stage is over
        for screen in self._screens:
            screen.end(self._stage, seconds, self._cached, told)

    def fail(self, error: BaseException) -> None:
        for run in (self.children[self._stage], self.run):
            run.note(f"{self._stage} failed: {error}")
        for screen in self._screens:
            screen.fail(self._stage)
        self.close(status_of(error))

    def pause(self, reason: str) -> None:
        self._stop_sampler()
        for run in (self.children[self._stage], self.run):
            run.note(f"{self._stage} stopped: {reason}")
        for screen in self._screens:
            screen.pause(self._stage)

    def close(self, status: str = "FINISHED") -> None:
        """Close all tracked runs; those that are closed stay as they are."""
        self._stop_sampler()
        self.page.close()
        for stage, child in self.children.items():
            for values, step in self._held.pop(stage, ()):
                child.metrics(values, step)
            child.finish(status if child is self.children.get(self._stage) else "FINISHED")
        self.run.finish(status)
        is_delivered = all(run.is_delivered for run in (self.run, *self.children.values()))
        self._shared.end(self._written(), is_delivered)

    def _written(self) -> list[str]:
        """Ids of the runs whose journals tell of this one; what it stands below first."""
        above = [self.run.parent] if self.run.parent else []
        return [*above, self.run.id, *(child.id for child in self.children.values())]

    def _observe(self, stage: str, values: Mapping[str, float], step: int = 0) -> None:
        """Record what a stage took of the machine, with a variant not before its scores.

        MLflow compares runs by the metric that they got first, and three variants are compared by accuracy.
        """
        if stage.startswith(ANSWERING):
            self._held.setdefault(stage, []).append((values, step))
            return
        self.children[stage].metrics(values, step)

    def _stop_sampler(self) -> None:
        if self._sampler is not None:
            self._sampler.stop()
            self._sampler = None


def status_of(error: BaseException) -> str:
    return "KILLED" if isinstance(error, KILLED) or not isinstance(error, Exception) else "FAILED"


@contextmanager
def recorded(recipe: Recipe, flow: str) -> Iterator[Recorder]:
    """Record what happens inside as one run of a recipe; what MLflow missed of earlier runs goes there first.

    A run of a deployment waits here for its turn on the accelerator.

    Args:
        recipe: what is run.
        flow: name of the flow that runs it.
    """
    owner = str(uuid4())
    in_use = workplace().store.in_use(owner)
    quiet = without_heartbeats()  # of the flows inside: this one's stand for them
    tracked, told = _tracked(recipe, flow, owner), told_when_cancelled()
    with told, review_awaited(), on_accelerator(), in_use, employing(), quiet, tracked as recorder:
        yield recorder


@contextmanager
def _tracked(recipe: Recipe, flow: str, owner: str) -> Iterator[Recorder]:
    place = workplace()
    tracker = place.tracker()
    catch_up(place, tracker)
    tags = {
        **link_tags(str(flow_run.id or ""), flow_run_page(place), git_commit()),
        "foundry.flow": flow,
        "foundry.recipe": recipe.name,
        "foundry.profile": recipe.profile,
        "foundry.recipe_digest": recipe.digest(),
    }
    name = f"{recipe.name}-{recipe.profile}"
    titled = name if flow == WHOLE else f"{flow} {name}"
    above = _ABOVE.get(None)
    mirrors = recipe.tracking.mirrors
    run = above.child(titled, tags) if above else tracker.start(recipe.experiment, titled, tags, mirrors)
    recorder = Recorder(recipe, run, _SCREEN.get(NoScreen()), run_page(), place, owner)
    recorder.tracking_uri = without_password(tracker.uri)  # it is shown and stored, never asked
    recorder.page.say(f"{name}: recipe {recipe.digest()[:SHOWN_CHARS]}, working in {place.home}")
    try:
        with watched_by(recorder):
            yield recorder
    except BaseException as error:
        recorder.close(status_of(error))
        raise
    recorder.close()


def flow_run_page(place: Workplace) -> str:
    """Address of this flow run on the page of `foundry ui`, which shows runs of embedded servers, too."""
    return f"{page_of(place, 'prefect')}/runs/flow-run/{flow_run.id}" if flow_run.id else ""
