"""Each repository is built once a session, and served by a hub of the tests' own."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from blip_core.prefetching.hub import Hub
from tests.flows.conftest import migrated_once, prefect_server
from tests.hub.stand_in import serving
from tests.layouts.walking import HUB, SOURCES, STAGES, Walk, changed, layout_of, press_in_the_middle

__all__ = ["migrated_once", "prefect_server"]


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Callable[[str], Path]:
    """Folder of a layout by the name of its file; read only."""
    built: dict[str, Path] = {}

    def folder_of(name: str) -> Path:
        if name not in built:
            built[name] = tmp_path_factory.mktemp(name) / name
            import_module(f"tests.layouts.{name}").build(built[name])
        return built[name]

    return folder_of


@pytest.fixture(scope="session")
def hub():
    """A hub without repositories, which commands of this process ask for the length of a walk."""
    with serving() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def walk(request, hub, repository, prefect_server, tmp_path_factory):
    """All commands in the order in which a person types them; the hub is down from the second fetch on."""
    from prefect.settings import PREFECT_API_URL

    walk = Walk(tmp_path_factory.mktemp("home"), hub, request.param)
    for name in set(walk.chosen.values()):
        source = changed(name, repository(layout_of(name)), tmp_path_factory.mktemp("changed") / name)
        hub.add(HUB[name], source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setattr(Hub.__init__, "__defaults__", (hub.url,))  # else the environment's, once imported
        patch.setenv("PREFECT_API_URL", PREFECT_API_URL.value())
        walk_through(walk)
    hub.down = False
    return walk


def walk_through(walk: Walk) -> None:
    walk.foundry("doctor before", "doctor", "--json")
    if walk.chosen != SOURCES:  # planned before the fetch by `test_plan`, at their real sizes
        walk.foundry("plan before", "plan")
    with pytest.MonkeyPatch.context() as patch:
        press_in_the_middle(patch)
        walk.foundry("interrupted", "prefetch")
    walk.foundry("prefetch", "prefetch", "--json")
    walk.hub.down = True
    walk.foundry("again", "prefetch", "--json")
    lock = walk.home / "checkpoints.lock.json"
    kept = lock.rename(lock.with_suffix(".kept"))  # as on a machine that the folders were carried to
    walk.foundry("offline", "prefetch", "--offline", "--json")
    kept.replace(lock)
    walk.foundry("doctor", "doctor", "--json")
    walk.foundry("plan", "plan", "--json")
    for stage in STAGES if walk.chosen == SOURCES else ():
        walk.foundry(stage, stage, "--json")
    walk.foundry("run", "run", "--json")
