"""Every kind of model and decoder is tuned with its language model in NF4, and goes on to the bit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from blip_core.inference import predict
from blip_core.modeling import load_adapter, load_blip2
from blip_core.modeling.features import VisionCache, decode_picture
from blip_core.modeling.text import IGNORED_LABEL
from blip_core.recipes.finetune import Adapter
from blip_core.recipes.inference import Inference
from blip_core.training.learner import Learner, collate
from blip_core.training.rows import RowSource
from tests.tiny_blip2 import LAYOUTS, FolderOf, MakeExamples
from tests.unit.training.conftest import TuneTiny
from tests.unit.training.ending import Ended, end_at, weights

ADAPTERS = {
    "instructblip_t5": Adapter(preset="qformer", r=4, alpha=8.0, dropout=0.1),
    "instructblip_vicuna": Adapter(preset="language-attention", r=4, full=("language_projection",)),
    "blip2_llama": Adapter(preset="projection-queries"),
}
SEEN = ("states", "input_ids", "attention_mask", "labels")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_tuned_goes_on_to_the_bit_and_is_loaded_again(
    tune_tiny: TuneTiny,
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    inference_settings: Inference,
    tmp_path: Path,
    layout: str,
) -> None:
    short = {"epochs": 1.0, "sample_rows": 0, "save_every_steps": 1}
    settings = {"adapter": ADAPTERS[layout], "quantisation": "nf4", **short}
    told: dict[str, Any] = {"family": layout, "settings": settings}
    undisturbed = tune_tiny(folder="undisturbed", **told)
    with pytest.raises(Ended):
        tune_tiny(folder="ended", checkpoints=tmp_path / "kept", on_step=end_at(2), **told)

    resumed = tune_tiny(folder="resumed", checkpoints=tmp_path / "kept", **told)

    assert resumed.counts.resumed_at == 1
    assert resumed.curve == undisturbed.curve
    assert weights(resumed) == weights(undisturbed)
    assert resumed.counts.vision_forwards == 8  # pictures of 16 rows, once for all epochs
    base = load_blip2(tiny_blip2(layout), "nf4")
    ranking = inference_settings.model_copy(update={"describe_prompt": "", "free_generation": False})
    before = predict(base, make_examples(2), ranking, "x")
    after = predict(load_adapter(base, resumed.adapter), make_examples(2), ranking, "x")
    assert [one.probabilities for one in before] != [one.probabilities for one in after]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_targets_alone_are_learnt_by_the_model_s_own_loss(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference, layout: str
) -> None:
    bundle, examples = load_blip2(tiny_blip2(layout)), make_examples(4)
    cache = VisionCache(bundle, batch_size=4)
    cache.add(examples)
    rows = RowSource(bundle, examples, inference_settings, 0.5, {}, max_text_tokens=150, seed=0).epoch(0)
    batch, alone = collate(bundle, cache, rows), collate(bundle, cache, rows[:1])
    pixels = bundle.processor.image_processor(decode_picture(examples[0]), return_tensors="pt")
    read = {"qformer_input_ids": alone["instructions"]} if "instructions" in alone else {}

    with torch.no_grad():
        ours = Learner(bundle)(**batch)["row_losses"]
        shown = {name: alone[name] for name in SEEN if name != "states"}
        whole = bundle.blip2(pixel_values=pixels["pixel_values"], **shown, **read).loss

    assert float(ours[0]) == pytest.approx(float(whole), rel=1e-4)
    for labels, row in zip(batch["labels"], rows, strict=True):
        assert labels[labels != IGNORED_LABEL].tolist() == row.target


@pytest.mark.parametrize("layout", ["instructblip_t5", "instructblip_vicuna"])
def test_gradients_reach_the_q_former_through_what_it_reads(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference, layout: str
) -> None:
    bundle, examples = load_blip2(tiny_blip2(layout), "nf4"), make_examples(2)
    words = bundle.blip2.qformer.embeddings.word_embeddings.weight.requires_grad_(True)
    cache = VisionCache(bundle, batch_size=2)
    cache.add(examples)
    rows = RowSource(bundle, examples, inference_settings, 0.0, {}, max_text_tokens=150, seed=0).epoch(0)
    batch = collate(bundle, cache, rows)

    Learner(bundle)(**batch)["loss"].backward()

    read = batch["instructions"][batch["instruction_mask"] == 1].unique()
    moved = words.grad.abs().sum(dim=1).nonzero()[:, 0]
    assert moved.tolist() == read.tolist()
