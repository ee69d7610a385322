"""Deployed to a real server: what is there, what a run started by its API does, what is refused."""

import json
import time
from datetime import UTC, datetime
from uuid import uuid4

import psutil
import pytest

from deployments.set_up import ALERT, ZOMBIES
from flows.cancelling import KEPT
from flows.growing.telling import ALERT as EVENT
from flows.growing.telling import RESOURCE
from tests.commands import foundry
from tests.deployments.conftest import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

FLEETING = {"updated", "version_info", "last_polled", "status", "active_slots"}
COMPOSED = ["source.kind=world", "scenes.count=8", "labels.per_picture=1"]
LONG = ["finetune.epochs=300.0", "finetune.save_every_seconds=1", "finetune.sample_rows=0"]
STATES = "training/*/step-*/complete.json"


def lasting(value):
    """What people set, without what the server counts and numbers by itself."""
    if isinstance(value, list):
        return [lasting(one) for one in value]
    if not isinstance(value, dict):
        return value
    schedules = value.get("schedules")
    kept = {name: lasting(one) for name, one in value.items() if name not in FLEETING | {"schedules"}}
    if schedules is not None:
        kept["schedules"] = [(one["slug"], one["schedule"], one["active"]) for one in schedules]
    return kept


def state(server):
    pool = server.call("/work_pools/foundry", method="GET")[1]
    limits = server.call("/v2/concurrency_limits/filter", {})[1]
    alerts = server.call("/automations/filter", {})[1]
    return {
        "deployments": lasting(server.deployments()),
        "pool": lasting(pool),
        "limits": lasting(limits),
        "alerts": [lasting(one) for one in alerts if one["name"] in (ALERT, ZOMBIES)],
    }


def test_setting_up_again_changes_nothing_and_keeps_what_people_raised(server):
    assert server.call("/v2/concurrency_limits/foundry-accelerator", {"limit": 2}, "PATCH")[0] < 300
    before = state(server)
    server.set_up()
    assert state(server) == before
    assert "foundry-accelerator" in {limit["name"] for limit in before["limits"] if limit["limit"] == 2}


def test_every_flow_that_people_start_is_offered(server):
    offered = server.deployments()
    assert set(offered) == {"pipeline", "regenerate-dataset", "finetune", "compare-variants", "predict"}
    assert {one["work_pool_name"] for one in offered.values()} == {"foundry"}
    assert all(one["description"] and "Args:" not in one["description"] for one in offered.values())


def test_only_the_regeneration_is_scheduled(server):
    schedules = {name: one["schedules"] for name, one in server.deployments().items() if one["schedules"]}
    assert list(schedules) == ["regenerate-dataset"]
    (weekly,) = schedules["regenerate-dataset"]
    assert weekly["active"]
    assert weekly["schedule"]["cron"]
    assert weekly["schedule"]["timezone"] == "Etc/UTC"
    assert weekly["parameters"] == {"more": 400}


def test_the_schedule_makes_runs_that_extend_the_dataset(server):
    wanted = {
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
        }
    }
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (runs := [one for one in server.call("/flow_runs/filter", wanted)[1] if one["auto_scheduled"]]):
        assert time.monotonic() < deadline, server.log("server").read_text()[-2000:]
        time.sleep(0.5)
    assert {one["deployment_id"] for one in runs} == {server.deployments()["regenerate-dataset"]["id"]}
    assert all(one["parameters"]["more"] == 400 for one in runs)


def test_an_alert_that_a_growth_emits_triggers_the_automation(server):
    told = {
        "prefect.resource.id": f"{RESOURCE}.gallery-vqa-pocket",
        "prefect.resource.name": "gallery-vqa pocket",
    }
    event = {"occurred": datetime.now(UTC).isoformat(), "event": EVENT, "resource": told, "id": str(uuid4())}
    assert server.call("/events", [event | {"payload": {"alerts": ["nothing came"]}}])[0] < 300
    wanted = {"filter": {"event": {"name": ["prefect.automation.triggered"]}}}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := server.call("/events/filter", wanted)[1]["events"]):
        assert time.monotonic() < deadline, server.log("server").read_text()[-2000:]
        time.sleep(0.5)
    assert {one["resource"]["prefect.resource.name"] for one in found} == {ALERT}


def test_a_run_that_says_no_more_that_it_lives_is_closed(server):
    (watch,) = [one for one in server.call("/automations/filter", {})[1] if one["name"] == ZOMBIES]
    shorter = {name: watch[name] for name in ("name", "description", "enabled", "trigger", "actions")}
    shorter["trigger"] |= {"within": 10}  # seconds, the least that Prefect takes; minutes as it is set up
    assert server.call(f"/automations/{watch['id']}", shorter, "PUT")[0] < 300
    try:
        _, run = server.start_run("pipeline")
        assert server.call(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}})[0] < 300
        alive = {"prefect.resource.id": f"prefect.flow-run.{run['id']}", "prefect.resource.name": "zombie"}
        event = {
            "occurred": datetime.now(UTC).isoformat(),
            "event": "prefect.flow-run.heartbeat",
            "resource": alive,
            "id": str(uuid4()),
        }
        assert server.call("/events", [event])[0] < 300
        assert server.wait_for([run["id"]]) == {run["id"]: "CRASHED"}
    finally:
        watch["trigger"] |= {"within": 150}
        server.call(f"/automations/{watch['id']}", shorter | {"trigger": watch["trigger"]}, "PUT")


def test_a_worker_completes_a_run_and_a_second_of_the_same_kind_does_not_pile_up(server, request):
    runs = [server.start_run("regenerate-dataset", overrides=COMPOSED) for _ in range(2)]
    assert [status for status, _ in runs] == [201, 201]
    request.getfixturevalue("worker")  # comes up later than the runs were due
    states = server.wait_for([run["id"] for _, run in runs])
    assert sorted(states.values()) == ["CANCELLED", "COMPLETED"], server.log("worker").read_text()
    assert list((server.home / "store").glob("dataset/*")) or list((server.home / "store").rglob("README.md"))


def processes_of(run):
    """Those of a run, and what they started: the run stands in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            found += [process] if process.environ().get("PREFECT__FLOW_RUN_ID") == run else []
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("processes", [1, 2])
def test_a_tuning_that_is_cancelled_says_so_itself_and_leaves_its_last_state_and_no_process(
    server, worker, processes
):
    seed = f"seed={processes}"  # else the second goes on where the first was cancelled
    overrides = [*COMPOSED, *LONG, seed, f"device.processes={processes}", "finetune.batch_size=4"]
    _, run = server.start_run("finetune", overrides=overrides)
    before = set(server.home.glob(STATES))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not set(server.home.glob(STATES)) - before:
        assert server.call(f"/flow_runs/{run['id']}", method="GET")[1]["state"]["type"] != "FAILED"
        assert time.monotonic() < deadline, server.log("worker").read_text()
        time.sleep(0.2)
    assert len(processes_of(run["id"])) >= processes

    assert server.call(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLING"}})[0] < 300
    state = server.wait_until(run["id"], {"CANCELLED", "CRASHED", "FAILED", "COMPLETED"})

    assert (state["name"], state["message"]) == ("Cancelled", KEPT), server.log("worker").read_text()
    psutil.wait_procs(processes_of(run["id"]), PATIENCE_SECONDS)
    assert not processes_of(run["id"])
    assert set(server.home.glob(STATES)) - before
    assert server.call(f"/flow_runs/{run['id']}", method="GET")[1]["state"]["name"] == "Cancelled"


@pytest.mark.parametrize(
    ("deployment", "parameters", "said"),
    [
        ("regenerate-dataset", {"scenes": -1}, "scenes"),
        ("pipeline", {"recipe": "galery-vqa"}, "gallery-vqa"),
        ("finetune", {"profile": "laptop"}, "pocket"),
        ("finetune", {"learning_rate": 2}, "learning_rate"),
        ("finetune", {"batch_size": "many"}, "batch_size"),
        ("predict", {}, "table"),
    ],
)
def test_parameters_that_do_not_hold_are_refused_by_name(server, deployment, parameters, said):
    status, answer = server.start_run(deployment, **parameters)
    assert 400 <= status < 500
    assert said in answer["detail"]


def test_a_run_that_waits_for_people_holds_no_process_and_goes_on_with_their_file(
    server, worker, tmp_path, monkeypatch
):
    for name in ("PREFECT_API_URL", "FOUNDRY_HOME"):
        monkeypatch.setenv(name, server.environment[name])
    path = tmp_path / "decisions.jsonl"
    overrides = [*COMPOSED, f'annotations=[{{step="review", path="{path}"}}]', "finetune.batch_size=4"]
    _, run = server.start_run("regenerate-dataset", overrides=overrides)
    assert server.wait_until(run["id"], {"PAUSED", "FAILED"})["name"] == "Suspended"
    awaited = server.call(f"/flow_runs/{run['id']}", method="GET")[1]["labels"]["foundry.review.rows"]
    assert foundry("review", "resume", str(path)).code == 2  # there is no file yet

    path.write_text(json.dumps({"rows": awaited}) + "\n")
    resumed = foundry("review", "resume", str(path))

    assert resumed.code == 0, resumed.err
    assert server.wait_for([run["id"]]) == {run["id"]: "COMPLETED"}, server.log("worker").read_text()
    assert "no suspended run waits" in foundry("review", "resume", str(path)).err
