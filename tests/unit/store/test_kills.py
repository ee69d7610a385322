import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blip_core.store import Store
from blip_core.store.faults import POINTS
from tests.unit.store.publishing_child import build

CHILD = Path(__file__).with_name("publishing_child.py")
REPOSITORY = Path(__file__).parents[3]


def publish_in_child(root: Path, dies_at: str) -> int:
    command = [sys.executable, str(CHILD), str(root), dies_at]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=environment, check=False).returncode


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    return contents(store.publish(store.key("rows", {}), "rows", build).path)


@pytest.mark.parametrize("point", ["build", *POINTS])
def test_a_kill_leaves_nothing_half_visible_and_the_next_run_ends_with_the_same_bytes(
    point: str, tmp_path: Path, undisturbed: dict[str, bytes]
):
    store = Store(tmp_path)
    key = store.key("rows", {})

    assert publish_in_child(tmp_path, point) == -signal.SIGKILL

    complete = point == POINTS[-1]
    assert store.has(key) is complete
    assert (store.find(key) is not None) is complete
    assert len(store.artifacts()) == complete

    assert contents(store.publish(key, "rows", build).path) == undisturbed
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("point", ["build", "publish.moved"])
def test_a_writer_of_another_key_sweeps_what_a_killed_one_left(point: str, tmp_path: Path):
    store = Store(tmp_path)
    publish_in_child(tmp_path, point)

    store.publish(store.key("rows", {"seed": 2}), "rows", lambda _: {})

    assert list((tmp_path / "staging").iterdir()) == []
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [store.key("rows", {"seed": 2})]
