"""Answers of every kind of model and decoder, in batches and one by one."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blip_core.inference import answer, answer_row_by_row
from blip_core.inference.causal_reading import CausalReader
from blip_core.modeling import load_blip2
from blip_core.modeling.backbones import FAMILIES
from blip_core.recipes.inference import Inference
from blip_core.records import Prediction
from tests.layouts.querying import llama_config
from tests.tiny_blip2 import LAYOUTS, FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")

NOISE = 3e-5  # of a probability, as in test_predicting
ROWS = 3
WORDS = 40


def said(one: Prediction) -> tuple[object, ...]:
    return one.id, one.mode, one.description, one.generated, one.ranked, one.rotations_right, one.flags


@pytest.mark.parametrize(
    "changed",
    [
        {"circular": True, "ablations": ("one-stage", "description-only", "blind")},
        {"ranking": "texts", "beams": 2},
        {"describe_prompt": "Of <image> say:", "answer_prompt": "{question} <image>{a}{b}{c}{d} Answer:"},
    ],
    ids=["letters", "texts", "around"],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_say_what_the_row_by_row_oracle_says(
    tiny_blip2: FolderOf,
    make_examples: MakeExamples,
    inference_settings: Inference,
    layout: str,
    changed: dict[str, Any],
) -> None:
    settings = inference_settings.model_copy(update={"max_new_tokens": 4} | changed)
    bundle, examples = load_blip2(tiny_blip2(layout)), make_examples(ROWS)

    batched = answer(bundle, examples, settings, "x")
    oracle = answer_row_by_row(bundle, examples, settings, "x")

    pairs = list(
        zip(batched.predictions + batched.ablations, oracle.predictions + oracle.ablations, strict=True)
    )
    assert len(pairs) == ROWS * (1 + len(changed.get("ablations", ())))
    for ours, expected in pairs:
        assert said(ours) == said(expected)
        assert ours.probabilities == pytest.approx(expected.probabilities, abs=NOISE)
    assert len({one.probabilities for one in batched.predictions}) == ROWS


@pytest.mark.parametrize("layout", ["instructblip_t5", "instructblip_vicuna"])
def test_a_picture_is_seen_once_and_a_q_former_reads_every_prompt_once(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference, layout: str
) -> None:
    bundle, rows, seen = load_blip2(tiny_blip2(layout)), make_examples(6), {"vision_model": 0, "qformer": 0}
    for part in seen:

        def count(module: object, args: object, output: Any, part: str = part) -> None:
            seen[part] += len(output[0])

        bundle.blip2.get_submodule(part).register_forward_hook(count)

    answer(bundle, rows, inference_settings, "x")

    assert seen == {"vision_model": 3, "qformer": 2 * len(rows)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_picture_changes_the_answers(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference, layout: str
) -> None:
    bundle, rows = load_blip2(tiny_blip2(layout)), make_examples(4)
    settings = inference_settings.model_copy(update={"describe_prompt": "", "free_generation": False})
    swapped = [replace(one, image=other.image) for one, other in zip(rows, rows[2:] + rows[:2], strict=True)]

    before, after = (answer(bundle, some, settings, "x").predictions for some in (rows, swapped))

    for one, other in zip(before, after, strict=True):
        assert one.probabilities != pytest.approx(other.probabilities, abs=100 * NOISE)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "t5"])
def test_any_decoder_reads_in_batches_what_it_reads_alone(family: str) -> None:
    shape = OPT if family == "opt" else llama_config(WORDS)
    config = AutoConfig.for_model(**shape | {"model_type": family})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
    rows = [torch.arange(3, 3 + length) for length in (5, 2, 4)]
    added = torch.tensor([[7, 8], [9, 10], [11, 12]])

    with torch.inference_mode():
        reader = read(model, rows)
        first, branch = reader.first_logits, reader.branch([2, 0, 1])
        later, branched = reader.step(added), branch.step(added)

        for place, row in enumerate(rows):
            whole = model(torch.cat([row, added[place]])[None]).logits[0]
            assert torch.allclose(first[place], whole[len(row) - 1], atol=1e-4)
            assert torch.allclose(later[place], whole[len(row) :], atol=1e-4)
        for place, row in enumerate((rows[0], rows[0], rows[2])):
            whole = model(torch.cat([row, added[place]])[None]).logits[0]
            assert torch.allclose(branched[place], whole[len(row) :], atol=1e-4)


OPT = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "word_embed_proj_dim": 32,
    "max_position_embeddings": 64,
}


def read(model: Any, rows: list[torch.Tensor]) -> CausalReader:
    width = max(map(len, rows))
    ids, mask = (torch.zeros(len(rows), width, dtype=torch.int64) for _ in range(2))
    for place, row in enumerate(rows):
        ids[place, width - len(row) :], mask[place, width - len(row) :] = row, 1
    return CausalReader(model, model.get_input_embeddings()(ids), mask)
