"""Shards of a recipe from actors: the bytes that this process would have made."""

import pytest

from blip_core.recipes import load_recipe
from blip_core.store import Store
from tasks.crews import employing
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tests.pocket_scenes import scenes_of

pytestmark = pytest.mark.ray

PICTURES = 5


def test_painted_pictures_and_their_labels_have_the_bytes_of_one_process(tmp_path, monkeypatch):
    made, keys = {}, {}
    for executor in ("serial", "ray", "processes"):
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / executor))
        monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 2)
        named = [f"device.executor={executor}", "device.workers=2", "device.threads=1", "pictures.steps=2"]
        recipe = load_recipe("gallery-vqa", "pocket", named)
        with employing():
            pictures = paint_pictures.task.fn(recipe, scenes_of(PICTURES))
            labels = label_pictures.task.fn(recipe, pictures)
        made[executor] = (pictures.digest, labels.digest)
        keys[executor] = sorted(one.key for one in Store(tmp_path / executor / "store").artifacts())
    assert made["ray"] == made["processes"] == made["serial"]
    assert keys["ray"] == keys["processes"] == keys["serial"]
