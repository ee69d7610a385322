"""Shards of a recipe from actors: the bytes that this process would have made, in a folder or a bucket."""

import shutil

import pytest

from blip_core.recipes import load_recipe
from blip_core.wiring import workplace
from tasks.crews import employing
from tasks.label_pictures import label_pictures
from tasks.paint_pictures import paint_pictures
from tests.pocket_scenes import scenes_of

pytestmark = pytest.mark.ray

PICTURES = 5


def made(executor):
    """Digests of pictures and their labels, and all keys; what a bucket's cache holds is lost in between."""
    named = [f"device.executor={executor}", "device.workers=2", "device.threads=1", "pictures.steps=2"]
    recipe = load_recipe("gallery-vqa", "pocket", named)
    with employing():
        pictures = paint_pictures.task.fn(recipe, scenes_of(PICTURES))
        shutil.rmtree(workplace().home / "store-caches", ignore_errors=True)
        labels = label_pictures.task.fn(recipe, pictures)
    return pictures.digest, labels.digest, sorted(one.key for one in workplace().store.artifacts())


def test_painted_pictures_and_their_labels_have_the_bytes_of_one_process(tmp_path, monkeypatch, bucket):
    monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 2)
    found = []
    for name, executor, environment in [
        ("serial", "serial", {}),
        ("processes", "processes", {}),
        ("actors", "ray", {}),
        ("actors-and-bucket", "ray", bucket),
    ]:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / name))
        found.append(made(executor))
    assert found[1:] == found[:1] * 3
    assert not (tmp_path / "actors-and-bucket" / "store").exists()
