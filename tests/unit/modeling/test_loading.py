import json
import shutil
from pathlib import Path

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2
from blip_core.modeling.quantisation import Quantisation
from tests.tiny_blip2 import FolderOf

FAMILIES = ("t5", "opt")


@pytest.mark.parametrize("family", FAMILIES)
def test_loads_both_families_and_sets_the_number_of_image_tokens(tiny_blip2: FolderOf, family: str) -> None:
    bundle = load_blip2(tiny_blip2(family))

    assert bundle.family == family
    assert bundle.processor.num_query_tokens == bundle.blip2.config.num_query_tokens == bundle.query_count
    assert bundle.tokenizer.padding_side == ("right" if family == "t5" else "left")
    assert not bundle.blip2.training
    assert not any(parameter.requires_grad for parameter in bundle.blip2.parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantisation", ["nf4", "int8"])
def test_only_the_language_model_is_quantised(
    tiny_blip2: FolderOf, family: str, quantisation: Quantisation
) -> None:
    manifest = load_blip2(tiny_blip2(family), quantisation).manifest

    assert {row.module for row in manifest if row.dtype == quantisation} == {"language_model"}
    assert {row.dtype for row in manifest if row.module != "language_model"} == {"float32"}


def test_t5_keeps_wo_whole_under_quantisation(tiny_blip2: FolderOf) -> None:
    blip2 = load_blip2(tiny_blip2("t5"), "nf4").blip2

    assert blip2.language_model.encoder.block[0].layer[1].DenseReluDense.wo.weight.dtype == torch.float32


def test_q_former_stays_float32_in_a_bfloat16_model(tiny_blip2: FolderOf) -> None:
    manifest = load_blip2(tiny_blip2("t5"), "nf4", dtype="bfloat16").manifest

    dtypes = {row.module: row.dtype for row in manifest if row.module != "language_model"}
    assert dtypes == {
        "query_tokens": "float32",
        "qformer": "float32",
        "vision_model": "bfloat16",
        "language_projection": "bfloat16",
    }


def test_a_tokenizer_that_disagrees_about_the_image_token_is_refused(
    tiny_blip2: FolderOf, tmp_path: Path
) -> None:
    folder = _copy(tiny_blip2("t5"), tmp_path)
    _edit(folder / "config.json", image_token_index=7)

    with pytest.raises(CheckpointError, match="pictures are ignored"):
        load_blip2(folder)


def test_weights_that_are_missing_are_not_made_up(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = _copy(tiny_blip2("t5"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["language_projection.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(CheckpointError, match=r"language_projection\.weight"):
        load_blip2(folder)


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target / "model"))


def _edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
