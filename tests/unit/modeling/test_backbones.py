"""What kinds of model are understood, and that a Q-Former which reads what is asked does so."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from blip_core.errors import CheckpointError
from blip_core.modeling import load_blip2, targeted_linears
from blip_core.modeling.adapter_targets import check_adapter_fits
from blip_core.modeling.features import (
    decode_picture,
    image_features,
    picture_part,
    pixel_values,
    question_part,
    vision_states,
)
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import TokenBatch, pad_instructions, tokenise_prompts
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import LAYOUTS, FolderOf, MakeExamples

INSTRUCTED = ("instructblip_t5", "instructblip_vicuna")
QUESTIONS = ("Which one is in the park?", "How many?")


@pytest.fixture(scope="module", params=INSTRUCTED)
def instructed(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


def read(bundle: Blip2Bundle, *texts: str) -> TokenBatch | None:
    return pad_instructions(bundle, [prompt.instruction for prompt in tokenise_prompts(bundle, texts)])


@torch.no_grad()
def test_an_instruction_changes_what_the_q_former_gives(
    instructed: Blip2Bundle, make_examples: MakeExamples
) -> None:
    states = vision_states(instructed, [decode_picture(make_examples(1)[0])] * 2)

    asked = image_features(instructed, states, read(instructed, *QUESTIONS))
    again = image_features(instructed, states, read(instructed, QUESTIONS[0], QUESTIONS[0]))

    assert not torch.allclose(asked[0], asked[1], atol=1e-3)
    assert torch.allclose(asked[0], again[0], atol=1e-5)  # whatever is padded beside it


@torch.no_grad()
def test_both_halves_give_what_the_whole_gives(instructed: Blip2Bundle, make_examples: MakeExamples) -> None:
    picture = decode_picture(make_examples(1)[0])
    inputs = instructed.processor(images=picture, text=QUESTIONS[0], return_tensors="pt")

    whole = instructed.blip2.get_image_features(
        inputs["pixel_values"], inputs["qformer_input_ids"], inputs["qformer_attention_mask"]
    ).pooler_output
    kept = picture_part(instructed, vision_states(instructed, [picture]))
    halves = question_part(instructed, kept, read(instructed, QUESTIONS[0]))

    assert torch.allclose(halves, whole, atol=1e-6)
    assert torch.equal(kept, instructed.blip2.vision_model(pixel_values(instructed, [picture]))[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_the_language_model_is_quantised_and_the_q_former_is_float32(
    tiny_blip2: FolderOf, layout: str, dtype: str
) -> None:
    manifest = load_blip2(tiny_blip2(layout), "nf4", dtype=dtype).manifest

    types = {row.module: row.dtype for row in manifest if row.module != "language_model"}
    assert {row.module for row in manifest if row.dtype == "nf4"} == {"language_model"}
    assert types == {
        "query_tokens": "float32",
        "qformer": "float32",
        "vision_model": dtype,
        "language_projection": dtype,
    }


def test_the_text_layers_of_the_q_former_are_tuned_with_it(instructed: Blip2Bundle) -> None:
    names = targeted_linears(instructed.model, Adapter(preset="qformer"))

    attentions, feed_forwards = 2 + 1, 2 + 2  # every second layer looks at the picture; words have their own
    assert len(names) == 4 * attentions + 2 * feed_forwards
    assert any(".intermediate.dense" in name for name in names)
    assert any(".intermediate_query.dense" in name for name in names)


def test_a_long_instruction_keeps_its_ends(instructed: Blip2Bundle) -> None:
    (prompt,) = tokenise_prompts(instructed, ["Begin. " + "middle " * 60 + "End:"])
    limit = instructed.blip2.config.qformer_config.max_position_embeddings

    tokenizer = instructed.processor.qformer_tokenizer
    assert prompt.is_cut
    assert prompt.instruction is not None
    assert len(prompt.instruction) == limit
    assert prompt.instruction[0] == tokenizer.cls_token_id
    assert prompt.instruction[-1] == tokenizer.sep_token_id
    assert tokenizer.decode(prompt.instruction, skip_special_tokens=True).endswith("end :")


def test_without_a_picture_the_q_former_reads_nothing(instructed: Blip2Bundle) -> None:
    (prompt,) = tokenise_prompts(instructed, ["Why?"], with_picture=False)

    assert prompt.instruction is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"architectures": ["LlavaForConditionalGeneration"]}, "holds LlavaForConditionalGeneration"),
        ({"architectures": ["InstructBlipVideoForConditionalGeneration"]}, "InstructBlipVideo"),
        ({"architectures": []}, "no named architecture"),
        ({"text_config": {"model_type": "bloom"}}, "a 'bloom' language model"),
        ({"text_config": {"model_type": "bart"}}, "a 'bart' language model"),
    ],
)
def test_what_is_not_understood_is_refused_by_what_is(
    tiny_blip2: FolderOf, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    folder = Path(shutil.copytree(tiny_blip2("instructblip_t5"), tmp_path / "model"))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    for look in (load_blip2, lambda place: check_adapter_fits(place, Adapter(preset="qformer"))):
        with pytest.raises(
            CheckpointError, match=r"allowed here: BLIP-2 .* and InstructBLIP .* of t5"
        ) as caught:
            look(folder)
        assert told in str(caught.value)


def test_a_folder_without_the_q_formers_tokenizer_is_refused(tiny_blip2: FolderOf, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_blip2("instructblip_t5"), tmp_path / "model"))
    shutil.rmtree(folder / "qformer_tokenizer")

    with pytest.raises(CheckpointError, match="no usable processor"):
        load_blip2(folder)


@pytest.mark.parametrize(
    ("name", "part"), [("config.json", ""), ("tokenizer_config.json", "qformer_tokenizer")]
)
def test_code_of_its_own_is_never_run(tiny_blip2: FolderOf, tmp_path: Path, name: str, part: str) -> None:
    folder = Path(shutil.copytree(tiny_blip2("instructblip_t5"), tmp_path / "model"))
    path = folder / part / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}))

    with pytest.raises(CheckpointError, match="code of its own"):
        load_blip2(folder)
