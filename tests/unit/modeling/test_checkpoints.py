import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from blip_core.errors import CheckpointError
from blip_core.modeling import check_checkpoint_folder, locate
from blip_core.recipes.checkpoint import Checkpoint

BLIP2 = "Blip2ForConditionalGeneration"


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 900\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [BLIP2]}))
    save_file({"x": np.zeros(4, dtype=np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


def test_a_whole_folder_passes_and_gives_its_config(folder: Path) -> None:
    assert check_checkpoint_folder(folder)["architectures"] == [BLIP2]


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin.*safetensors"):
        check_checkpoint_folder(folder)


def test_code_of_its_own_is_refused_wherever_it_is_asked_for(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": "x.Y"}}))

    with pytest.raises(CheckpointError, match="auto_map"):
        check_checkpoint_folder(folder)


def test_another_architecture_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=f"{BLIP2}; allowed here: LlavaForConditionalGeneration"):
        check_checkpoint_folder(folder, ("LlavaForConditionalGeneration",))


def test_a_weight_file_that_is_cut_short_is_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])

    with pytest.raises(CheckpointError, match="damaged"):
        check_checkpoint_folder(folder)


def test_a_shard_that_the_index_names_and_nobody_has_is_refused(folder: Path) -> None:
    index = {"weight_map": {"x": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(CheckpointError, match="lacks its weight file model-00002"):
        check_checkpoint_folder(folder)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_an_unreadable_config_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)

    with pytest.raises(CheckpointError, match=r"config\.json"):
        check_checkpoint_folder(folder)


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        check_checkpoint_folder(tmp_path)


def test_pocket_hub_and_local_checkpoints_are_found_where_they_lie(tmp_path: Path) -> None:
    models, pocket = tmp_path / "models", tmp_path / "pocket"
    (models / "owner" / "name").mkdir(parents=True)
    (pocket / "blip2-t5").mkdir(parents=True)

    assert locate(Checkpoint(id="pocket/blip2-t5"), models, pocket) == pocket / "blip2-t5"
    assert locate(Checkpoint(id="owner/name"), models, pocket) == models / "owner" / "name"
    assert locate(Checkpoint(id=str(models)), models, pocket) == models


def test_a_hub_checkpoint_that_is_not_here_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="put a snapshot of owner/name at revision abc there") as caught:
        locate(Checkpoint(id="owner/name", revision="abc"), tmp_path, tmp_path)

    assert str(tmp_path / "owner" / "name") in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "spiece.model"])
def test_a_git_lfs_pointer_in_the_place_of_any_file_is_told_as_such(name: str, folder: Path) -> None:
    (folder / name).write_text(POINTER)

    with pytest.raises(CheckpointError, match=rf"{name} is a git-lfs pointer.*git lfs pull"):
        check_checkpoint_folder(folder)
