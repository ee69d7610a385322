"""Brings a Prefect server to the state of `prefect.yaml`, with pool, limit and alert; again changes nothing.

Run as `python -m deployments.set_up [--no-schedules]`; `make deploy` does so.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from blip_core.connecting import without_password
from blip_core.errors import FoundryError
from blip_core.wiring import HEARTBEAT_SECONDS, prepare_environment, use_prefect_api, workplace
from blip_core.wiring.servers import WORK_POOL, prefect_api

FILE = Path(__file__).with_name("prefect.yaml")
ALERT = "foundry-alert"
NOTIFIED = "foundry-alerts"  # name of a notification block, which people make on Prefect's page
ZOMBIES = "foundry-zombies"
SILENT_HEARTBEATS = 5  # that a busy machine or a server that restarts may cost
_ZOMBIE = "The run's process is gone: it has said nothing for minutes. Start it again: finished work is kept."
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "Paused", "AwaitingRetry")
ACCELERATORS = 1  # as a machine has by default; whoever raises it on Prefect's page keeps what was set


def set_up(schedules: bool) -> None:
    """Make what is missing on the server in use, and bring its deployments to what the file says.

    Args:
        schedules: whether schedules are set, too; without, the server keeps those it has.

    Raises:
        FoundryError: Prefect refused.
    """
    make_pool()
    make_limit()
    make_alert()
    make_zombie_watch()
    with prefect_file(schedules) as path:
        deploy(path)


def make_pool() -> None:
    """Make the work pool; one that is there keeps its settings."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(WORK_POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(
                WorkPoolCreate(name=WORK_POOL, type=ProcessWorker.type, base_job_template=template)
            )


def make_limit() -> None:
    """Make the limit of the accelerator; one that is there keeps its number."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectNotFound

    from flows.limits import ACCELERATOR

    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(ACCELERATOR)
        except ObjectNotFound:
            limit = GlobalConcurrencyLimitCreate(name=ACCELERATOR, limit=ACCELERATORS)
            client.create_global_concurrency_limit(limit)


def make_alert() -> None:
    """Make the automation that acts when a growth wants to be looked at; one that is there keeps its actions.

    It sends a notification where there is a block to send it by. Where there was none when it was made, it
    only shows among the events, until the block is there and this is called again.
    """
    from prefect.client.orchestration import get_client
    from prefect.events import ResourceSpecification
    from prefect.events.actions import DoNothing, SendNotification
    from prefect.events.schemas.automations import AutomationCore, EventTrigger

    from flows.growing.telling import ALERT as EVENT
    from flows.growing.telling import RESOURCE

    with get_client(sync_client=True) as client:
        blocks = client.read_block_documents(include_secrets=False)
        block = next((one.id for one in blocks if one.name == NOTIFIED), None)
        known = client.read_automations_by_name(ALERT)
        if known and (block is None or known[0].actions != [DoNothing()]):
            return
        acts = DoNothing() if block is None else SendNotification(block_document_id=block, **_words())
        alert = AutomationCore(
            name=ALERT,
            description="Acts when a dataset did not grow, or when what came passes a bound.",
            trigger=EventTrigger(
                expect={EVENT}, match=ResourceSpecification({"prefect.resource.id": f"{RESOURCE}.*"})
            ),
            actions=[acts],
        )
        if known:
            client.update_automation(known[0].id, alert)
        else:
            client.create_automation(alert)


def make_zombie_watch() -> None:
    """Make the automation that closes runs whose process is dead; one that is there keeps what people set.

    A run tells every `HEARTBEAT_SECONDS` that it lives. One that has said nothing for several times as long,
    and did not end, is crashed: its machine went down, or its worker was killed along with it.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events import ResourceSpecification
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    with get_client(sync_client=True) as client:
        if client.read_automations_by_name(ZOMBIES):
            return
        silence = EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in _ENDS)},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_HEARTBEATS * HEARTBEAT_SECONDS),
        )
        client.create_automation(
            AutomationCore(
                name=ZOMBIES,
                description="Closes runs whose process is dead; started again, they go on from there.",
                trigger=silence,
                actions=[ChangeFlowRunState(state=StateType.CRASHED, message=_ZOMBIE)],
            )
        )


def _words() -> dict[str, str]:
    return {
        "subject": "blip-foundry: look at {{ event.resource.name }}",
        "body": "{% for alert in event.payload.alerts %}- {{ alert }}\n{% endfor %}",
    }


@contextmanager
def prefect_file(schedules: bool) -> Iterator[Path]:
    """The file to deploy: as it lies here, or without its schedules."""
    if schedules:
        yield FILE
        return
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for deployment in content["deployments"]:
        deployment.pop("schedules", None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / FILE.name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        yield path


def deploy(path: Path) -> None:
    """Deploy everything that a file holds, by Prefect's own command.

    Raises:
        FoundryError: It refused.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if said.returncode:
        raise FoundryError(f"`prefect deploy` failed:\n{without_password(said.stdout)}")


def main() -> None:
    """Set up the server that is up, and say where it is looked at."""
    parser = argparse.ArgumentParser(description="Set up the Prefect server in use as prefect.yaml says.")
    parser.add_argument("--no-schedules", action="store_true", help="leave schedules as they are")
    arguments = parser.parse_args()
    try:
        place = workplace()
        prepare_environment(place)
        api = prefect_api(place)
        use_prefect_api(api)
        set_up(schedules=not arguments.no_schedules)
    except FoundryError as error:
        sys.stderr.write(f"deploy: {error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"Deployed to {without_password(api).removesuffix('/api')}/deployments\n")


if __name__ == "__main__":
    main()
