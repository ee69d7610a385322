"""The whole pocket pipeline on a store in a bucket: the same work as on a folder, and nothing of it twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blip_core.store import Store
from tests.s3.conftest import Opens

pytestmark = [pytest.mark.s3, pytest.mark.slow]

SMALL = ["scenes.count=12", "evaluation.limit=8", "finetune.epochs=1"]
SAME = ("scenes", "pictures", "labels", "dataset", "adapter", "predictions")


def run(home: Path, store: str) -> dict[str, bool]:
    """Run the recipe in a home; gives for each stage whether it was taken from the store."""
    overrides = [part for one in SMALL for part in ("--set", one)]
    told = subprocess.run(
        [sys.executable, "-m", "flows.cli.app", "run", "gallery-vqa", "--json", *overrides],
        env=os.environ | {"FOUNDRY_HOME": str(home), "FOUNDRY_STORE": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-5000:]
    return {name: stage["cached"] for name, stage in json.loads(told.stdout)["stages"].items()}


def digests(store: Store) -> dict[str, str]:
    return {one.key: one.digest for kind in SAME for one in store.artifacts(kind)}


@pytest.mark.timeout(1800)
def test_a_bucket_gives_what_a_folder_gives_and_another_machine_makes_nothing(
    address: str, opened: Opens, tmp_path: Path
):
    run(tmp_path / "alone", "")
    made = run(tmp_path / "a", address)
    assert not any(made.values())
    assert not (tmp_path / "a" / "store").exists()
    shutil.rmtree(tmp_path / "a")

    assert all(run(tmp_path / "b", address).values())
    shared = opened()
    assert digests(shared) == digests(Store(tmp_path / "alone" / "store"))
    assert shared.place.shelf.names("journal")
    assert shared.place.shelf.names("reports")
