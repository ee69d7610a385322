import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from blip_core.pocket.text import Pair, encode_pairs, new_t5, row_loss, t5_lr_scale, text_pair
from blip_core.pocket.tokenizers import build_tokenizer, seq2seq_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return seq2seq_tokenizer(build_tokenizer())


def test_queries_and_keys_start_equal_where_tokens_must_be_matched(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = new_t5(tokenizer, seed=0)
    cross = model.decoder.block[0].layer[1].EncDecAttention
    assert torch.equal(cross.q.weight, cross.k.weight)


def test_queries_and_keys_move_slowly() -> None:
    assert t5_lr_scale("encoder.block.0.layer.0.SelfAttention.q.weight") < t5_lr_scale("x.v.weight")


def test_a_letter_weighs_as_much_as_a_description() -> None:
    logits = torch.zeros(2, 3, 5)
    logits[0, 0, 1] = 9.0
    labels = torch.tensor([[1, -100, -100], [2, 2, 2]])
    expected = (torch.log(torch.tensor(5.0)) + torch.log1p(4 * torch.exp(torch.tensor(-9.0)))) / 2
    torch.testing.assert_close(row_loss(logits, labels), expected)


def test_pads_are_no_labels(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = encode_pairs(tokenizer, [Pair("a car", "A"), Pair("a car", "One car in the park at noon.")])
    assert (batch["labels"][0] == -100).sum() == batch["labels"].shape[1] - 2


def test_text_tasks_end_in_a_letter_a_word_or_a_description() -> None:
    rng = np.random.default_rng(0)
    targets = {text_pair(rng, 0.2).target for _ in range(200)}
    assert {"A", "B", "C", "D"} < targets
    assert any(target.endswith(".") for target in targets)
