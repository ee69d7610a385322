from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, LlavaForConditionalGeneration, PreTrainedTokenizerFast

from blip_core.pocket.blip2 import take_shot
from blip_core.pocket.labeller import (
    draw_question,
    encode_labels,
    new_llama,
    new_llava,
    picture_loss,
    publish_llava,
    train_llava,
    train_text,
    weighted_loss,
    write_label,
)
from blip_core.pocket.language import COUNT_WORDS, Kind, answer_by_scene, ask_any, describe
from blip_core.pocket.pretraining import Plan
from blip_core.pocket.prompts import shipped_prompts, with_loose_end
from blip_core.pocket.tokenizers import build_tokenizer, llava_tokenizer
from blip_core.pocket.vision import SupervisedTower, as_clip
from blip_core.pocket.world import Split, Style, draw_scene
from blip_core.pocket.written_labels import parse_label, score_labels, write_labels

PLAN = Plan(steps=2, peak_lr=1e-3, warmup=1, save_every=10, log_every=10)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return llava_tokenizer(build_tokenizer())


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    return new_llava(tokenizer, as_clip(SupervisedTower()).tower, new_llama(tokenizer, 0), seed=0)


def test_a_true_label_parses_and_scores_full() -> None:
    rng = np.random.default_rng(0)
    shots = [take_shot(rng, Style.SHIFTED, Split.TEST) for _ in range(20)]
    scores = score_labels(shots, [write_label(shot.scene, ask_any(shot.scene, rng)) for shot in shots])
    assert scores["parsed"] == scores["right"] == scores["described"] == 1.0
    assert scores["repeated"] == 0.0


@pytest.mark.parametrize("damage", [("Answer: ", "Answer: X"), ("\nC. ", "\nE. "), ("Description: ", "")])
def test_a_damaged_label_does_not_parse(damage: tuple[str, str]) -> None:
    rng = np.random.default_rng(1)
    scene = draw_scene(rng, Style.SHIFTED)
    text = write_label(scene, ask_any(scene, rng))
    assert parse_label(text) is not None
    assert parse_label(text.replace(*damage)) is None


def test_the_right_option_weighs_most_then_the_description_and_the_prompt_nothing(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    rng = np.random.default_rng(2)
    scene = draw_scene(rng, Style.SHIFTED)
    question = ask_any(scene, rng)
    target = write_label(scene, question)
    batch = encode_labels(tokenizer, [shipped_prompts().label], [target])
    labels, weights = batch["labels"][0], batch["weights"][0]
    lightest, second, heaviest = weights[labels >= 0].unique().tolist()
    assert tokenizer.decode(labels[weights == heaviest]).strip() == question.options[0]
    assert tokenizer.decode(labels[weights == second]) == f"Description: {describe(scene)}"
    assert lightest < second
    assert batch["weights"][0, batch["labels"][0] < 0].sum() == 0


@torch.no_grad()
def test_training_sees_what_the_processor_and_forward_give(
    tmp_path: Path, model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    publish_llava(tmp_path / "final", model, tokenizer)
    loaded = LlavaForConditionalGeneration.from_pretrained(tmp_path / "final", dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "final")
    shot = take_shot(np.random.default_rng(3), Style.SHIFTED, Split.TRAIN)
    drawn = np.random.default_rng(4)
    assert with_loose_end("", drawn) == ""  # the draw that comes first in training, too
    target = write_label(shot.scene, draw_question(shot.scene, drawn, (Kind.PLACE,)))
    text = shipped_prompts().label + target + tokenizer.eos_token
    logits = loaded(**processor(images=[shot.pixels], text=[text], return_tensors="pt")).logits
    batch = encode_labels(tokenizer, [shipped_prompts().label], [target])
    theirs = weighted_loss(logits[:, -batch["labels"].shape[1] :], batch["labels"], batch["weights"])
    ours = picture_loss(loaded, tokenizer, [shot], (Kind.PLACE,), np.random.default_rng(4))
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


def test_labels_are_sampled_one_a_picture(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    from blip_core.pocket.labeller import new_processor

    rng = np.random.default_rng(5)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    pictures = [take_shot(rng, Style.GENERIC, Split.TRAIN).pixels for _ in range(2)]
    assert len(write_labels(model, new_processor(tokenizer), pictures, temperature=0.5)) == 2


def test_training_moves_the_projector_and_leaves_the_tower(
    tmp_path: Path, model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    tower = [value.clone() for value in model.model.vision_tower.parameters()]
    projector = model.model.multi_modal_projector.linear_1.weight.detach().clone()
    train_llava(tmp_path / "part", model, tokenizer, PLAN, tuple(Kind), pictures=2, texts=2)
    assert all(torch.equal(a, b) for a, b in zip(tower, model.model.vision_tower.parameters(), strict=True))
    assert not torch.equal(model.model.multi_modal_projector.linear_1.weight, projector)


def test_the_llama_learns_from_text_alone(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = new_llama(tokenizer, 0)
    before = model.lm_head.weight.detach().clone()
    train_text(tmp_path / "part", model, tokenizer, PLAN, (Kind.PLACE,), batch_size=2)
    assert not torch.equal(model.lm_head.weight, before)


def test_descriptions_open_every_label() -> None:
    rng = np.random.default_rng(6)
    scene = draw_scene(rng, Style.SHIFTED)
    assert write_label(scene, ask_any(scene, rng)).startswith(f"Description: {describe(scene)}\n\nQuestion: ")


def test_the_right_option_is_taught_first_and_the_others_in_order() -> None:
    rng = np.random.default_rng(7)
    for _ in range(30):
        scene = draw_scene(rng, Style.SHIFTED)
        question = draw_question(scene, rng, (Kind.COUNT,))
        assert question.letter == "A"
        assert answer_by_scene(scene, question.text, question.options) == question.options[0]
        assert list(question.options[1:]) == sorted(question.options[1:], key=COUNT_WORDS.index)
