"""The number of threads: a recipe names it, a key holds it, and nothing else chooses it."""

import hashlib
import os

import pytest
import torch

from blip_core import painting, wiring
from blip_core.errors import RecipeError
from blip_core.modeling import load_blip2
from blip_core.modeling.stored_features import KIND, StoredVisionStates
from blip_core.recipes import load_recipe
from blip_core.records import Scene
from blip_core.store import Store

pytestmark = pytest.mark.slow

SCENES = [
    Scene(f"pets-{line:05d}", "pets", f"A dog and {line} balls on the beach.", 0, line) for line in range(3)
]


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def painted(*overrides):
    recipe = load_recipe("gallery-vqa", "pocket", ["pictures.steps=2", *overrides])
    painter = wiring.build_painter(recipe)
    pictures, _ = painting.paint_pictures(painter, SCENES, wiring.picture_settings(recipe), recipe.seed)
    painter.close()
    return hashlib.sha256(b"".join(picture.png for picture in pictures)).hexdigest()


def test_one_recipe_paints_the_same_bytes_whatever_number_of_threads_was_set_before():
    seen = set()
    for elsewhere in (1, 2, 5):
        torch.set_num_threads(elsewhere)
        seen.add(painted())
        assert torch.get_num_threads() == 2
    assert len(seen) == 1


@pytest.mark.parametrize("threads", [1, 3, 4])
def test_a_model_runs_on_as_many_threads_as_its_recipe_says(threads):
    wiring.build_writer(load_recipe("gallery-vqa", "pocket", [f"device.threads={threads}"])).close()
    assert torch.get_num_threads() == threads


def test_on_a_gpu_torch_keeps_its_own_number(monkeypatch):
    monkeypatch.setattr("blip_core.wiring.devices.device_of", lambda _: "cuda")
    torch.set_num_threads(3)
    wiring.devices.use_threads(load_recipe("gallery-vqa", "workstation"))
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("threads", ["0", "-1", "1025", '"auto"'])
def test_a_number_of_threads_that_is_not_pinned_is_refused(threads):
    with pytest.raises(RecipeError, match=r"device\.threads.*whole number from 1"):
        load_recipe("gallery-vqa", "pocket", [f"device.threads={threads}"])


@pytest.mark.parametrize(
    "profile", ["pocket", "workstation", "datacenter", "modern", "modern-server", "cluster"]
)
def test_every_shipped_profile_resolves_to_a_number(profile):
    resolved = load_recipe("gallery-vqa", profile).to_toml()
    assert "threads = 2\n" in resolved


def test_kept_vision_features_are_those_of_one_number_of_threads(tiny_blip2, make_examples, tmp_path):
    bundle, store = load_blip2(tiny_blip2("t5")), Store(tmp_path)
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        StoredVisionStates(bundle, store, "tiny").add(make_examples(4))
    assert sorted(block.metadata["threads"] for block in store.artifacts(KIND)) == [1, 2]


@pytest.mark.parametrize(("variable", "set_to"), [("OMP_DYNAMIC", "true"), ("OMP_THREAD_LIMIT", "1")])
def test_nothing_changes_the_number_behind_a_recipes_back(monkeypatch, tmp_path, variable, set_to):
    monkeypatch.setattr("os.environ", {**os.environ, "FOUNDRY_HOME": str(tmp_path), variable: set_to})
    wiring.prepare_environment(wiring.workplace())
    assert os.environ.get(variable) != set_to


def test_threads_that_wait_leave_the_cores_to_others_unless_somebody_says_otherwise(monkeypatch, tmp_path):
    for named, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {**os.environ, "FOUNDRY_HOME": str(tmp_path)}
        environment.pop("OMP_WAIT_POLICY", None)
        monkeypatch.setattr("os.environ", environment | ({"OMP_WAIT_POLICY": named} if named else {}))
        wiring.prepare_environment(wiring.workplace())
        assert os.environ["OMP_WAIT_POLICY"] == expected
