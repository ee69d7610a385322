"""Actors of a cluster: the same results as anybody's, whoever is killed; one line where there is none."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from blip_core.errors import PlaceError, StageFailure, TableError
from blip_core.execution import Act, WorkItem
from blip_core.execution.pool import Pool
from tests.unit.execution.doings import DOINGS, begun, notes

pytestmark = pytest.mark.ray

REPOSITORY = Path(__file__).parents[2]
KILLS = int(os.environ.get("WORKER_KILLS") or 30)
NODE_KILLS = int(os.environ.get("NODE_KILLS") or 10)
DRIVER = """
import os, sys
from blip_core.execution import Act, WorkItem
from blip_core.execution.pool import Pool
from blip_core.execution.ray_actors import RayActors

pool = Pool(RayActors(os.environ["RAY_ADDRESS"], 1, 0), 2, 600)
item = WorkItem("long", lambda: {"number": 1, "seconds": 600}, lambda tell: {})
told = lambda *args: print("working", flush=True)
list(pool.work(Act("tests.unit.execution.doings:opened", {"notes": sys.argv[1]}), iter([item] * 2), told))
"""


@pytest.fixture
def pool(running):
    made = actors(running)
    yield made
    made.close()


@pytest.fixture
def act(tmp_path):
    return Act(DOINGS, {"notes": str(tmp_path / "notes.txt")})


def actors(running, workers=2, deadline=600.0, cpus=1.0):
    from blip_core.execution.ray_actors import RayActors

    return Pool(RayActors(running.environment["RAY_ADDRESS"], cpus, 0.0), workers, deadline)


def results(pool, act, hows, seconds=0.0):
    told = [{"number": number, "how": how, "seconds": seconds} for number, how in enumerate(hows)]
    items = [WorkItem(f"shard {item['number']}", partial(dict, item), lambda tell: {}) for item in told]
    return pool.work(act, iter(items), lambda *args: None)


def squares(pool, act, hows, **told):
    return [result["square"] for result in results(pool, act, hows, **told)]


def test_results_come_in_order_and_what_is_opened_serves_a_whole_act(pool, act):
    assert squares(pool, act, ["well"] * 9) == [number**2 for number in range(9)]
    assert notes(act.job).count("opened") <= 2


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("mistake", TableError, r"^row 7 has no picture$"),
        ("memory", StageFailure, r"^memory did not suffice in worker \d: lower device.workers"),
        ("kill", StageFailure, r"^shard 0 ended 3 workers; the last, worker \d was lost"),
    ],
)
def test_what_an_actor_could_not_do_is_told_in_one_line(pool, act, how, kind, words):
    with pytest.raises(kind, match=words):
        squares(pool, act, [how])


def test_an_item_past_its_deadline_is_worked_by_another(running, act):
    pool = actors(running, workers=1, deadline=8.0)
    assert squares(pool, act, ["well", "hang once"]) == [0, 1]
    pool.close()


def test_killed_actors_cost_an_item_each(pool, act):
    hows = ["kill once"] * KILLS
    assert squares(pool, act, hows) == [number**2 for number in range(KILLS)]
    assert [begun(act.job, number) for number in range(KILLS)] == [2] * KILLS


def test_killed_nodes_cost_what_they_were_at(running, pool, act):
    items = 6 * NODE_KILLS
    killer = threading.Thread(target=kill_nodes, args=(running, act))
    killer.start()
    given = squares(pool, act, ["well"] * items, seconds=0.5)
    killer.join()
    assert given == [number**2 for number in range(items)]
    assert sum(begun(act.job, number) for number in range(items)) <= items + 2 * NODE_KILLS


def kill_nodes(running, act):
    """Kill the node that is not the head, and start it anew, again and again, while items are worked."""
    for kill in range(NODE_KILLS):
        seen = len(notes(act.job))
        wait_for(lambda seen=seen: len(notes(act.job)) > seen + 2)
        name = [name for name in running.nodes.members if name.startswith("node-")][-1]
        for process in [*psutil.Process(running.nodes.members[name].pid).children(recursive=True)]:
            process.kill()
        running.nodes.members[name].kill()
        running.nodes.members.pop(name).wait()
        running.add(f"node-again-{kill}", 2)


def test_actors_go_with_a_killed_run_and_another_one_works(running, act, tmp_path):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "theirs.txt")], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert driver.stdout is not None
    for _ in range(2):
        assert driver.stdout.readline() == b"working\n"
    assert len(of_actors()) >= 2
    os.kill(driver.pid, signal.SIGKILL)
    wait_for(lambda: not of_actors())
    driver.communicate()
    pool = actors(running)
    assert squares(pool, act, ["well"] * 3) == [0, 1, 4]
    pool.close()


def of_actors():
    return [one for one in psutil.process_iter() if name_of(one).startswith("ray::Actor")]


def name_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def wait_for(holds):
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_token_is_told_in_one_line(running, tmp_path):
    (tmp_path / "token").write_text("0" * 64)
    said = attach({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")})
    assert said.startswith(
        "the Ray cluster at 127.0.0.1:26380 does not take this token: set RAY_AUTH_MODE=token"
    )


def test_a_missing_token_is_told_in_one_line(running):
    assert "does not take this token" in attach({"RAY_AUTH_MODE": "disabled"})


def test_an_address_without_a_cluster_is_told_in_one_line():
    assert attach({"RAY_ADDRESS": "127.0.0.1:9"}).startswith(
        "no Ray cluster is at 127.0.0.1:9: Connection refused"
    )


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:10001", "127.0.0.1"])
def test_an_address_of_another_form_is_told_in_one_line(address):
    assert "has to name a running cluster as HOST:PORT" in attach({"RAY_ADDRESS": address})


def test_what_is_no_cluster_is_told_in_one_line():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        said = attach({"RAY_ADDRESS": f"127.0.0.1:{silent.getsockname()[1]}"})
    assert "does not answer as a Ray cluster does" in said


def test_an_actor_that_no_node_has_room_for_is_told_in_one_line(running):
    with pytest.raises(PlaceError, match=r"^no node of the Ray cluster at .* has 99 CPUs and 0 GPUs for an"):
        actors(running, cpus=99.0)


ATTACH = """
import os
from blip_core.errors import PlaceError
from blip_core.recipes import load_recipe
from blip_core.wiring.executors import build_executor

try:
    build_executor(load_recipe("gallery-vqa", "pocket", ["device.executor=ray"]))
except PlaceError as error:
    print(error)
"""


def attach(environment):
    """What a run says that attaches in an environment; it says nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", ATTACH],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_token_is_for_this_user_alone(running):
    token = Path(running.environment["RAY_AUTH_TOKEN_PATH"])
    assert token.stat().st_mode & 0o777 == 0o600
    assert not 10002 <= int(running.environment["RAY_ADDRESS"].rpartition(":")[2]) <= 19999
