from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, Blip2ForConditionalGeneration, PreTrainedTokenizerFast

from blip_core.pocket.blip2 import (
    QUERY_TOKENS,
    Mix,
    answer_quiz,
    draw_quiz,
    encode_pictures,
    given_description,
    lesson,
    new_blip2,
    publish_blip2,
    score_quiz,
    train_blip2_opt,
    train_blip2_t5,
    vision_states,
    with_picture,
)
from blip_core.pocket.language import describe
from blip_core.pocket.pretraining import Plan
from blip_core.pocket.prompts import answer_prompt
from blip_core.pocket.text import Pair, encode_pairs, new_t5
from blip_core.pocket.tokenizers import build_tokenizer, opt_tokenizer, seq2seq_tokenizer
from blip_core.pocket.vision import SupervisedTower
from blip_core.pocket.world import Group, PocketScene, Split, Style

PLAN = Plan(steps=2, peak_lr=1e-3, warmup=1, save_every=10, log_every=10)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return seq2seq_tokenizer(build_tokenizer())


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast) -> Blip2ForConditionalGeneration:
    return new_blip2(tokenizer, SupervisedTower().tower, new_t5(tokenizer, 0), seed=0).eval()


@torch.no_grad()
def test_training_sees_what_the_processor_and_forward_give(
    tmp_path: Path, model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    publish_blip2(tmp_path / "final", model, tokenizer)
    loaded = Blip2ForConditionalGeneration.from_pretrained(tmp_path / "final", dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "final")
    (shot, question), *_ = draw_quiz(Style.GENERIC, Split.TRAIN, 1, seed=1)
    text = answer_prompt(question, describe(shot.scene))
    inputs = processor(images=[shot.pixels], text=[text], return_tensors="pt")
    assert (inputs["input_ids"] == loaded.config.image_token_index).sum() == QUERY_TOKENS
    batch = encode_pairs(processor.tokenizer, [Pair(text, question.letter)])
    theirs = loaded(**inputs, labels=batch["labels"]).logits
    pictures = encode_pictures(loaded, vision_states(loaded, [shot.pixels]))
    ours = loaded.language_model(**with_picture(loaded, pictures, batch), labels=batch["labels"]).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_training_moves_the_q_former_and_leaves_the_tower(
    tmp_path: Path, model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    tower = model.vision_model.encoder.layers[0].mlp.fc1.weight.clone()
    queries = model.query_tokens.detach().clone()
    train_blip2_t5(tmp_path / "part", model, tokenizer, PLAN, pictures=2)
    assert torch.equal(model.vision_model.encoder.layers[0].mlp.fc1.weight, tower)
    assert not torch.equal(model.query_tokens, queries)


def test_the_baseline_trains_on_captions(tmp_path: Path) -> None:
    tokenizer = opt_tokenizer(build_tokenizer())
    model = new_blip2(tokenizer, SupervisedTower().tower, None, seed=0)
    before = model.language_projection.weight.detach().clone()
    train_blip2_opt(tmp_path / "part", model, tokenizer, PLAN, pictures=2)
    assert not torch.equal(model.language_projection.weight, before)


def test_given_descriptions_are_true_lacking_mistaken_and_absent() -> None:
    scene = PocketScene("beach", "noon", (Group("car", 2), Group("kite", 1)))
    rng = np.random.default_rng(0)
    given = {given_description(scene, rng) for _ in range(200)}
    assert {"", describe(scene), "Two cars on the beach at noon."} <= given


def test_lessons_teach_both_stages() -> None:
    scene = PocketScene("beach", "noon", (Group("car", 2),))
    rng = np.random.default_rng(0)
    targets = [lesson(scene, Mix(), rng).target for _ in range(100)]
    assert {describe(scene), "A", "B", "C", "D"} < set(targets)


def test_a_quiz_is_answered_row_by_row(
    model: Blip2ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    quiz = draw_quiz(Style.SHIFTED, Split.TRAIN, 6, seed=2)
    descriptions, letters = answer_quiz(model, tokenizer, quiz, batch_size=4)
    assert len(descriptions) == len(letters) == len(quiz)
    assert (
        score_quiz(quiz, [describe(shot.scene) for shot, _ in quiz], [q.letter for _, q in quiz])["all"]
        == 1.0
    )
