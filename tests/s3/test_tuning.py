"""A tuning that one machine began and another ends, which knows of it from the bucket alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from blip_core.recipes import load_recipe
from blip_core.store import Artifact
from blip_core.wiring import workplace
from tasks import tune_adapter as stage
from tasks.stage import NoWatcher, watched_by
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.s3

TRAINED, HELD_OUT = 12, 4
WEIGHTS = "adapter/adapter_model.safetensors"


class Dying(NoWatcher):
    def metrics(self, values: object, step: int) -> None:
        if step == 5:
            raise KeyboardInterrupt


@pytest.fixture
def tune(
    tiny_blip2: FolderOf, make_examples: MakeExamples, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Artifact]:
    """Work the stage as a machine of some name, with a store of some address."""
    settings = (
        f"base={tiny_blip2('t5')} quantisation=none epochs=2 batch_size=4 save_every_steps=2 sample_rows=2"
    )
    fields = [f"finetune.{one}" for one in settings.split()]
    recipe, rows = load_recipe("gallery-vqa", "pocket", fields), make_examples(TRAINED + HELD_OUT)
    monkeypatch.setattr(
        "tasks.tune_adapter.read_split",
        lambda folder, split: rows[:TRAINED] if split == "train" else rows[TRAINED:],
    )

    def run(home: str, address: str) -> Artifact:
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / home))
        monkeypatch.setenv("FOUNDRY_STORE", address)
        store = workplace().store
        dataset = store.publish("dataset-0", "dataset", lambda folder: {"rows": TRAINED}).ref()
        return store.find(stage.tune_adapter.task.fn(recipe=recipe, dataset=dataset).key)

    return run


def test_another_machine_goes_on_at_the_saved_step_and_ends_with_the_same_bytes(
    tune: Callable[..., Artifact], address: str, tmp_path: Path
):
    undisturbed = tune("calm", "")
    with pytest.raises(KeyboardInterrupt), watched_by(Dying()):
        tune("a", address)
    (key,) = workplace().store.place.shelf.names("training")
    assert workplace().store.place.shelf.names(f"training/{key}")[-1] == "step-00000004"
    shutil.rmtree(tmp_path / "a")

    ended = tune("b", address)

    assert ended.metadata["counts"]["resumed_at"] == 4
    assert (ended.path / WEIGHTS).read_bytes() == (undisturbed.path / WEIGHTS).read_bytes()
    assert workplace().store.place.shelf.names("training") == []
    assert list((tmp_path / "b" / "training").glob("*")) == []


def test_a_tuning_goes_on_while_the_bucket_is_away(
    tune: Callable[..., Artifact],
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    from blip_core.errors import StoreError
    from blip_core.store.places.shelf import Shelf

    def away(*_: object) -> None:
        raise StoreError("the object store does not answer")

    monkeypatch.setattr(Shelf, "save", away)
    assert tune("a", address).metadata["steps"] == 6
    assert "stays on this machine alone" in caplog.text
