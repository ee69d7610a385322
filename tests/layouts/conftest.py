"""Repositories of each layout are served by a hub of the tests' own."""

import pytest

from blip_core.prefetching.hub import Hub
from tests.hub.stand_in import serving
from tests.layouts.walking import HUB, SOURCES, STAGES, Walk, changed, layout_of, press_in_the_middle


@pytest.fixture(scope="session")
def hub():
    """A hub without repositories, which commands of this process ask for the length of a walk."""
    with serving() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def walk(request, hub, layout, prefect_server, tmp_path_factory):
    """All commands in the order in which a person types them; the hub is down from the second fetch on."""
    from prefect.settings import PREFECT_API_URL

    walk = Walk(tmp_path_factory.mktemp("home"), hub, request.param)
    for name in set(walk.chosen.values()):
        source = changed(name, layout(layout_of(name)), tmp_path_factory.mktemp("changed") / name)
        hub.add(HUB[name], source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        # Else it is the environment's, once imported.
        patch.setattr(Hub.__init__, "__defaults__", (hub.url, "model"))
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
