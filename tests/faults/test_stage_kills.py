"""A stage is killed at each of its fault points; the next run ends as if nothing had been."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from blip_core.store import Artifact, Store
from blip_core.store.faults import POINTS
from tests.faults.conftest import Undisturbed
from tests.faults.forge import Forge
from tests.faults.instants import read_instants, times
from tests.faults.stages import DIGESTS, NOTE, WORK

pytestmark = pytest.mark.slow

KINDS = {
    "scenes": "scenes",
    "pictures": "pictures",
    "labels": "labels",
    "dataset": "dataset",
    "finetune": "adapter",
    "predict finetuned": "predictions",
    "compare": "scores",
}
"""What each stage makes; a stage that works in shards makes `KIND-shard` as well."""
SHARDED = ("scenes", "pictures", "labels", "predictions")
SLOW = ("finetune", "predict finetuned", "compare")  # these are killed at fewer points
FEW_POINTS = ("publish.built", "publish.moved", "publish.manifest")


def fault_points() -> list[tuple[str, str]]:
    """Each stage with each instant at which it is killed."""
    cases = []
    for stage, kind in KINDS.items():
        points = FEW_POINTS if stage in SLOW else POINTS
        cases += [(stage, f"{kind}-shard {point} 2") for point in points if kind in SHARDED]
        cases += [(stage, f"{kind} {point} 1") for point in points]
        cases += [(stage, f"{stage} progress 1")]
    return cases


@pytest.mark.parametrize(("stage", "instant"), fault_points())
def test_after_a_kill_the_next_run_ends_as_if_nothing_had_been(
    stage: str, instant: str, undisturbed: Undisturbed, forge: Forge, tmp_path: Path
):
    store = Store(tmp_path / "store")
    bring_what_comes_before(stage, undisturbed, store)
    job = {"home": str(tmp_path), "overrides": undisturbed.recipe, "until": stage}

    assert forge.run(WORK, **job, fatal=instant) == -signal.SIGKILL, forge.log.read_text()
    assert all(store.find(artifact.key) == artifact for artifact in store.artifacts())

    assert forge.run(WORK, **job) == 0, forge.log.read_text()
    digests = json.loads((tmp_path / DIGESTS).read_text())
    assert digests[stage] == undisturbed.digests[stage]
    assert_one_was_redone_at_most(KINDS[stage], store, read_instants(tmp_path / NOTE))
    assert list((store.root / "staging").iterdir()) == []
    assert not (store.root / "quarantine").exists()


def bring_what_comes_before(stage: str, undisturbed: Undisturbed, store: Store) -> None:
    """Copy what the stages before one made; shards are not needed any more."""
    kinds = list(KINDS.values())
    before = kinds[: kinds.index(KINDS[stage])]

    def is_before(artifact: Artifact) -> bool:
        if artifact.kind == KINDS[stage] == "predictions":
            return artifact.metadata["variant"] not in stage
        return artifact.kind in before

    for artifact in Store(undisturbed.home / "store").artifacts():
        if is_before(artifact):
            shutil.copytree(artifact.path, store.root / "artifacts" / artifact.key)


def assert_one_was_redone_at_most(kind: str, store: Store, instants: list[str]) -> None:
    """Compare what two runs together began to make with what is there in the end."""
    shards = len(store.artifacts(f"{kind}-shard"))
    assert (shards > 1) == (kind in SHARDED)
    assert times(instants, f"{kind}-shard publish.staged") <= shards + 1
    assert times(instants, f"{kind} publish.staged") <= 2
