"""The whole flow with doubles: the work of the forge in tests with servers."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flows.recording
from blip_core.wiring import prepare_environment, workplace
from flows.pipeline import pipeline
from tasks.stage import Watcher, watched_by
from tests.faults.doubles import stand_in
from tests.faults.instants import Instants, WatchedStages, arm

WORK = "tests.faults.runs:work"
NOTE = "run-instants.txt"
SUMMARY = "summary.json"


def work(home: str, overrides: list[str], fatal: str = "", number: int = signal.SIGKILL) -> None:
    """Run the pipeline and write its summary down.

    Args:
        home: the workplace.
        overrides: of the recipe.
        fatal: instant to be signalled at.
        number: the signal.
    """
    os.environ["FOUNDRY_HOME"] = home
    prepare_environment(workplace())
    stand_in()
    instants = Instants(Path(home) / NOTE, fatal, number)
    arm(instants)

    @contextmanager
    def watched(recorder: Watcher) -> Iterator[None]:
        with watched_by(WatchedStages(recorder, instants)):
            yield

    flows.recording.watched_by = watched
    (Path(home) / SUMMARY).write_text(json.dumps(pipeline(overrides=overrides)))


def digests(home: Path) -> dict[str, Any]:
    """What a summary says that must be the same after a kill."""
    summary = json.loads((home / SUMMARY).read_text())
    return {part: summary[part] for part in ("dataset", "variants", "comparisons", "adapter")}
