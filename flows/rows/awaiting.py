"""A deployed run whose rows wait for people is suspended: it holds no process and goes on with their file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.flow_runs import suspend_flow_run
from prefect.runtime import deployment, flow_run

from blip_core.annotating.decisions import SHOWN, read_decisions
from blip_core.errors import ReviewAwaited, UserMistake
from blip_core.wiring import workplace
from blip_core.wiring.servers import prefect_api

ROWS = "foundry.review.rows"
PATH = "foundry.review.path"
_KEY = "review-awaited"
# Prefect's worker dies of a run that comes back while its process of before is still ending.
_ENDING_SECONDS = 30.0


@contextmanager
def review_awaited() -> Iterator[None]:
    """Suspend a deployment's run whose rows nobody has decided about yet; any other run says so and ends.

    It begins anew when it is resumed, and takes from the store whatever it had made.
    """
    try:
        yield
    except ReviewAwaited as error:
        if not (flow_run.id and deployment.id):
            raise
        _note(UUID(str(flow_run.id)), error)
        suspend_flow_run(timeout=None, key=str(uuid4()))  # leaves by a signal of Prefect's
        raise


def resume_review(file: Path) -> list[FlowRun]:
    """Let the suspended runs go on that wait for a file of decisions; gives them.

    Raises:
        PlaceError: There is no Prefect server.
        TableError: The file cannot be read.
        UserMistake: No run waits for decisions about its rows, or one waits for them elsewhere.
    """
    path = file.expanduser().resolve()
    rows = read_decisions(path).rows
    with SyncPrefectClient(api=prefect_api(workplace())) as client:
        paused = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=paused))
        waiting = [run for run in runs if str(run.labels.get(ROWS, "")).startswith(rows)]
        if not waiting:
            raise UserMistake(f"no suspended run waits for decisions about the rows {rows[:SHOWN]}")
        for run in waiting:
            if Path(str(run.labels.get(PATH))).resolve() != path:
                raise UserMistake(
                    f"the run {run.name} waits for the file {run.labels.get(PATH)}; put it there"
                )
        for run in waiting:
            time.sleep(_until_ended(run))
            client.resume_flow_run(run.id)
    return waiting


def _until_ended(run: FlowRun) -> float:
    """Seconds until the process of a run that was just suspended has surely ended."""
    since = (datetime.now(UTC) - run.state.timestamp).total_seconds() if run.state else _ENDING_SECONDS
    return max(0.0, _ENDING_SECONDS - since)


def _note(number: UUID, error: ReviewAwaited) -> None:
    """Say on the page of the run what it waits for, and leave that for whoever resumes it."""
    path = str(Path(error.path).resolve())
    resume = f"foundry review resume {path}"
    artifact = ArtifactCreate(
        key=_KEY,
        type="markdown",
        description="What this run waits for",
        data=f"**{error}**\n\nThen `{resume}` lets this run go on; resuming it on this page does the same.",
        flow_run_id=number,
    )
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(number, {ROWS: error.rows, PATH: path})
        client.create_artifact(artifact)
