import pytest
import torch
from transformers import Blip2Config

from blip_core.errors import CheckpointError
from blip_core.modeling import account_parameters, dtype_manifest, dtype_table, load_blip2
from blip_core.modeling.manifest import assert_manifest
from blip_core.modeling.quantisation import Quantisation
from tests.tiny_blip2 import FolderOf

QUANTISATIONS = ("none", "int8", "nf4")
FAMILIES = ("t5", "opt")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_a_model_is_loaded_as_its_manifest_says(
    tiny_blip2: FolderOf, family: str, quantisation: Quantisation
) -> None:
    bundle = load_blip2(tiny_blip2(family), quantisation, dtype="bfloat16")

    assert bundle.manifest == dtype_manifest(bundle.blip2)
    found = {row.module: row.dtype for row in bundle.manifest if row.module != "language_model"}
    assert found["qformer"] == found["query_tokens"] == "float32"
    assert found["vision_model"] == found["language_projection"] == "bfloat16"
    inside = {row.dtype for row in bundle.manifest if row.module == "language_model"}
    assert inside == {"bfloat16"} | ({quantisation} - {"none"})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_every_parameter_is_in_the_manifest_once(
    tiny_blip2: FolderOf, family: str, quantisation: Quantisation
) -> None:
    manifest = load_blip2(tiny_blip2(family), quantisation).manifest
    account = account_parameters(Blip2Config.from_pretrained(tiny_blip2(family)), None, quantisation)

    assert sum(row.parameters for row in manifest) == account.base


def test_quantised_weights_take_fewer_bytes(tiny_blip2: FolderOf) -> None:
    def language_bytes(quantisation: Quantisation) -> int:
        manifest = load_blip2(tiny_blip2("t5"), quantisation).manifest
        return sum(row.bytes for row in manifest if row.module == "language_model")

    # NF4 keeps a table of scales for every layer, which weighs more than a layer of a tiny model.
    assert language_bytes("int8") < language_bytes("none")
    assert language_bytes("nf4") < language_bytes("none")


def test_a_q_former_in_another_type_is_noticed(tiny_blip2: FolderOf) -> None:
    blip2 = load_blip2(tiny_blip2("t5")).blip2
    blip2.qformer.to(torch.bfloat16)

    with pytest.raises(CheckpointError, match="qformer was loaded as bfloat16"):
        assert_manifest(blip2, "none")


def test_a_part_in_another_type_than_asked_is_noticed(tiny_blip2: FolderOf) -> None:
    blip2 = load_blip2(tiny_blip2("opt"), "nf4").blip2
    blip2.vision_model.to(torch.float16)

    with pytest.raises(CheckpointError, match="vision_model was loaded as float16 and should be float32"):
        assert_manifest(blip2, "nf4", "float32")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_a_model_quantised_otherwise_than_asked_is_noticed(
    tiny_blip2: FolderOf, family: str, quantisation: Quantisation
) -> None:
    others = [one for one in QUANTISATIONS if one != quantisation]
    blip2 = load_blip2(tiny_blip2(family), quantisation).blip2

    for other in others:
        with pytest.raises(CheckpointError, match=f"with quantisation '{other}'"):
            assert_manifest(blip2, other)


def test_the_table_has_a_line_for_each_part_and_type(tiny_blip2: FolderOf) -> None:
    manifest = load_blip2(tiny_blip2("t5"), "nf4").manifest

    lines = dtype_table(manifest).splitlines()

    assert len(lines) == len(manifest)
    assert all(row.module in line and row.dtype in line for row, line in zip(manifest, lines, strict=True))
