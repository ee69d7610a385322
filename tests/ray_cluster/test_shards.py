"""Shards of a recipe from actors: the bytes that this process would have made, in a folder or a bucket."""

import pytest

from blip_core.recipes import load_recipe
from blip_core.wiring import workplace
from tasks.crews import employing
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tests.pocket_scenes import scenes_of

pytestmark = pytest.mark.ray

PICTURES = 5


def made(executor, homes):
    """Digests of pictures and of their labels, each made from a home of its own, and all keys."""
    named = [f"device.executor={executor}", "device.workers=2", "device.threads=1", "pictures.steps=2"]
    recipe = load_recipe("gallery-vqa", "pocket", named)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(homes[0]))
        with employing():
            pictures = paint_pictures.task.fn(recipe, scenes_of(PICTURES))
        patch.setenv("FOUNDRY_HOME", str(homes[-1]))
        with employing():
            labels = label_pictures.task.fn(recipe, pictures)
        return pictures.digest, labels.digest, sorted(one.key for one in workplace().store.artifacts())


def test_painted_pictures_and_their_labels_have_the_bytes_of_one_process(tmp_path, monkeypatch, bucket):
    monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 2)
    one = made("serial", [tmp_path / "serial"])
    assert made("processes", [tmp_path / "processes"]) == one
    assert made("ray", [tmp_path / "actors"]) == one

    monkeypatch.setenv("FOUNDRY_STORE", bucket)
    homes = [tmp_path / "bucket", tmp_path / "bucket-from-elsewhere"]
    assert made("ray", homes) == one
    assert not any((home / "store").exists() for home in homes)
