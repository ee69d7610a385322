"""A run that is cancelled says so itself, once it has put away what it made.

Prefect's worker says it, too, but only after it looked for the process, which it does every three seconds,
and loaded the flow anew for hooks that ours do not have: five seconds and more.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.exceptions import TerminationSignal
from prefect.runtime import flow_run
from prefect.states import Cancelled

KEPT = "What was finished is kept."


@contextmanager
def told_when_cancelled() -> Iterator[None]:
    """Set the state of a run that is asked to end to Cancelled, if that is why; else leave it to Prefect."""
    try:
        yield
    except TerminationSignal:
        gc.freeze()  # else Python looks through all that is left once more before it ends: three seconds
        _tell()
        raise


def _tell() -> None:
    """Without a server that answers, its worker tells later."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(flow_run.id).state
            if state is not None and state.is_cancelling():
                client.set_flow_run_state(flow_run.id, Cancelled(message=KEPT))
    except httpx.HTTPError as error:
        get_run_logger().warning("Prefect could not be told that the run is cancelled: %s", error)
