"""Every way to tune: what moves and what stays, goes on to the bit, is counted, judged and merged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.modeling import account_parameters, attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.modeling.adapters import begin_with
from blip_core.modeling.merging import TOLERANCE, merge_adapter
from blip_core.modeling.quantisation import Quantisation
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from blip_core.training import TrainingResult
from tests.tiny_blip2 import FolderOf
from tests.unit.training.conftest import TuneTiny
from tests.unit.training.ending import Ended, end_at, weights


@dataclass(frozen=True)
class Way:
    """A way to tune a tiny model.

    Attributes:
        family: of the model.
        adapter: what is trained.
        quantisation: of its language model.
        moves: beginnings of the names of all weights that move.
        wordings: of the prompt, to draw from.
    """

    family: str
    adapter: Adapter
    quantisation: str
    moves: tuple[str, ...]
    wordings: tuple[str, ...] = ()


WORDINGS = ("See <image> and choose: {question}{a}{b}{c}{d}", "{question} <image>{a}{b}{c}{d}")
LORA: Mapping[str, Any] = {"r": 2, "dropout": 0.1}
WAYS = {
    "q-v": Way("opt", Adapter(preset="language-attention", **LORA), "none", ("language_model",)),
    "q-k-int8": Way("opt", Adapter(preset="language-attention-qk", **LORA), "int8", ("language_model",)),
    "projection": Way("blip2_llama", Adapter(preset="projection"), "nf4", ("language_projection",), WORDINGS),
    "opt-whole": Way("opt", Adapter(preset="language-model"), "none", ("language_model",)),
    "t5-whole": Way("t5", Adapter(preset="language-model"), "none", ("language_model",)),
    "llama-whole-and-more": Way(
        "blip2_llama",
        Adapter(pattern=r"qformer\..*\.query", full=("language_model", "query_tokens"), **LORA),
        "none",
        ("language_model", "qformer", "query_tokens"),
    ),
}
WHOLE = WAYS["opt-whole"].adapter
QUANTISED: tuple[Quantisation, ...] = ("int8", "nf4")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", WAYS)
def test_it_is_tuned_goes_on_to_the_bit_and_is_merged(
    tune_tiny: TuneTiny, tiny_blip2: FolderOf, tmp_path: Path, name: str
) -> None:
    way = WAYS[name]
    short = {"epochs": 1.0, "sample_rows": 0, "save_every_steps": 1, "describe_share": 0.0}
    settings = {"adapter": way.adapter, "quantisation": way.quantisation, "wordings": way.wordings, **short}
    told: dict[str, Any] = {"family": way.family, "settings": settings}
    undisturbed = tune_tiny(folder="undisturbed", **told)
    with pytest.raises(Ended):
        tune_tiny(folder="ended", checkpoints=tmp_path / "kept", on_step=end_at(2), **told)

    resumed = tune_tiny(folder="resumed", checkpoints=tmp_path / "kept", **told)

    assert resumed.counts.resumed_at == 1
    assert weights(resumed) == weights(undisturbed)
    base = tiny_blip2(way.family)
    account = account_parameters(load_blip2(base).blip2.config, way.adapter, "none")
    assert resumed.trainable == account.adapter
    merged = merge_adapter(resumed.adapter, Checkpoint(id=str(base)), base, tmp_path / "merged")
    assert merged.difference <= TOLERANCE
    before, after = (dict(load_blip2(one).blip2.named_parameters()) for one in (base, tmp_path / "merged"))
    moved = {part for part in before if not torch.equal(before[part], after[part])}
    assert {part.split(".")[0] for part in moved} == set(way.moves)


@pytest.fixture
def whole(tune_tiny: TuneTiny) -> TrainingResult:
    """An OPT of which every weight was trained."""
    return tune_tiny(family="opt", settings={"adapter": WHOLE, "epochs": 1.0, "sample_rows": 0})


def test_a_whole_language_model_is_gone_on_from_and_never_quantised(
    whole: TrainingResult, tiny_blip2: FolderOf, tmp_path: Path
) -> None:
    base = tiny_blip2("opt")
    later = attach_adapter(load_blip2(base), WHOLE, seed=1)

    begin_with(later, whole.adapter)

    save_adapter(later, tmp_path / "later", Checkpoint(id=str(base)))
    later_files = sorted((tmp_path / "later").glob("*.safetensors"))
    assert [path.read_bytes() for path in later_files] == weights(whole)
    assert [path.name for path in later_files] == ["adapter_model.safetensors", "language_model.safetensors"]
    for quantisation in QUANTISED:
        with pytest.raises(CheckpointError, match=f"as {quantisation}; set inference.quantisation to none"):
            load_adapter(load_blip2(base, quantisation), whole.adapter)
    with pytest.raises(CheckpointError, match=r"must hold language_model\.\S+ of shape .* weights more"):
        load_adapter(load_blip2(tiny_blip2("t5")), whole.adapter)
    with pytest.raises(CheckpointError, match="one of both trains other parts in full"):
        begin_with(
            attach_adapter(load_blip2(base), Adapter(preset="projection-queries"), seed=0), whole.adapter
        )
