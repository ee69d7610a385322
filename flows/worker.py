"""Serves the flow `pipeline`: runs that are started from the Prefect page are executed here."""

from importlib.metadata import version

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from blip_core.wiring import prepare_environment, workplace
from flows.pipeline import pipeline

DEPLOYMENT = "foundry"


def main() -> None:
    """Register the deployment and execute its runs, one at a time, until told to end."""
    prepare_environment(workplace())
    deployment = RunnerDeployment.from_flow(
        pipeline,
        DEPLOYMENT,
        description="Executed on this machine by `foundry ui`.",
        version=version("blip-foundry"),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    serve(deployment, limit=1, print_starting_message=False)


if __name__ == "__main__":
    main()
