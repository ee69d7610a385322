"""One run at a time on the accelerator, however many are taken from the work pool."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger
from prefect.concurrency.sync import concurrency
from prefect.runtime import deployment

ACCELERATOR = "foundry-accelerator"
LEASE_SECONDS = 60.0  # the shortest Prefect grants: as long a run that was killed keeps its slot


@contextmanager
def on_accelerator() -> Iterator[None]:
    """Hold a slot of the accelerator while inside, waiting for one if need be.

    Only runs of deployments do: where those are, the limit is, too. A slot that cannot be renewed because the
    server is away does not end a training.
    """
    if not deployment.id:
        yield
        return
    get_run_logger().info("Waiting for a turn on the accelerator")
    with concurrency(
        ACCELERATOR, strict=True, lease_duration=LEASE_SECONDS, raise_on_lease_renewal_failure=False
    ):
        yield
