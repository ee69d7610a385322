"""Readers compute what the models of transformers compute, padded or not, token by token."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor
from transformers import OPTConfig, OPTForCausalLM, T5Config, T5ForConditionalGeneration

from blip_core.inference.opt_reading import OptReader
from blip_core.inference.t5_reading import T5Reader

VOCABULARY, WIDTH, ROWS, LENGTH, NEW = 50, 16, 3, 6, 4
T5 = {"d_kv": 8, "d_ff": 24, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 2, "pad_token_id": 0}
OPT = {"ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}


def t5(**changed: Any) -> Any:
    config = T5Config(vocab_size=VOCABULARY, d_model=WIDTH, decoder_start_token_id=0, **T5, **changed)
    return T5ForConditionalGeneration(config).eval()


def opt(**changed: Any) -> Any:
    sizes = {"hidden_size": WIDTH, "word_embed_proj_dim": WIDTH, "init_std": 0.3} | changed
    return OPTForCausalLM(OPTConfig(vocab_size=VOCABULARY, **OPT, **sizes)).eval()


MODELS = {
    "t5": t5,
    "flan-t5": lambda: t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "opt": opt,
    "opt-350m": lambda: opt(do_layer_norm_before=False, word_embed_proj_dim=8),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return MODELS[request.param]()


@pytest.fixture(params=[[6, 6, 6], [6, 4, 1]], ids=["equal", "padded"])
def mask(request: pytest.FixtureRequest, model: Any) -> Tensor:
    right = torch.tensor([[1] * length + [0] * (LENGTH - length) for length in request.param])
    return right if is_t5(model) else right.flip(1)


def is_t5(model: Any) -> bool:
    return bool(model.config.is_encoder_decoder)


def prompts(model: Any) -> Tensor:
    width = model.get_input_embeddings().embedding_dim
    return torch.randn(ROWS, LENGTH, width, generator=torch.Generator().manual_seed(1))


def tokens() -> Tensor:
    return torch.randint(1, VOCABULARY, (ROWS, NEW), generator=torch.Generator().manual_seed(2))


def reader_of(model: Any, mask: Tensor) -> Any:
    return (T5Reader if is_t5(model) else OptReader)(model, prompts(model), mask, NEW)


def expected_logits(model: Any, mask: Tensor) -> Tensor:
    """Logits (B, 1 + T, V) of the first position and of those after each token, by transformers alone."""
    if is_t5(model):
        written = torch.cat([torch.zeros(ROWS, 1, dtype=torch.int64), tokens()], dim=1)
        return model(inputs_embeds=prompts(model), attention_mask=mask, decoder_input_ids=written).logits
    embeddings = torch.cat([prompts(model), model.get_input_embeddings()(tokens())], dim=1)
    whole = torch.cat([mask, torch.ones(ROWS, NEW, dtype=torch.int64)], dim=1)
    return model(inputs_embeds=embeddings, attention_mask=whole).logits[:, LENGTH - 1 :]


@torch.inference_mode()
def test_logits_after_every_token_are_those_of_transformers(model: Any, mask: Tensor) -> None:
    reader, expected = reader_of(model, mask), expected_logits(model, mask)

    torch.testing.assert_close(reader.first_logits, expected[:, 0], atol=1e-5, rtol=1e-5)
    for place in range(NEW):
        logits = reader.step(tokens()[:, place : place + 1])
        torch.testing.assert_close(logits[:, 0], expected[:, place + 1], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_places_are_those_that_were_computed(model: Any, mask: Tensor) -> None:
    reader = reader_of(model, mask)

    assert reader.places == (mask.sum() if is_t5(model) else mask.numel())


@torch.inference_mode()
def test_a_t5_projects_its_prompt_only_for_a_second_step() -> None:
    projected: list[int] = []
    model = t5()
    for block in model.decoder.block:
        block.layer[1].EncDecAttention.k.register_forward_hook(lambda *_: projected.append(1))

    reader = T5Reader(model, prompts(model), torch.ones(ROWS, LENGTH, dtype=torch.int64), NEW)
    assert projected == []
    for place in range(NEW):
        reader.step(tokens()[:, place : place + 1])
    assert len(projected) == len(model.decoder.block)


@torch.inference_mode()
def test_a_t5_whose_prompt_is_projected_by_more_than_a_matrix_reads_through_all_of_it() -> None:
    model, mask = t5(), torch.ones(ROWS, LENGTH, dtype=torch.int64)
    inject_adapter_in_model(LoraConfig(target_modules=["k", "v"], init_lora_weights=False), model)

    logits = T5Reader(model, prompts(model), mask, NEW).first_logits

    torch.testing.assert_close(logits, expected_logits(model, mask)[:, 0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_several_tokens_at_once_are_read_as_one_by_one(model: Any, mask: Tensor) -> None:
    expected = expected_logits(model, mask)

    logits = reader_of(model, mask).step(tokens())

    torch.testing.assert_close(logits, expected[:, 1:], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_rows_that_stay_go_on_alone(model: Any, mask: Tensor) -> None:
    expected, reader = expected_logits(model, mask), reader_of(model, mask)
    staying = torch.tensor([2, 0])

    reader.step(tokens()[:, :1])
    reader.keep(staying)
    logits = reader.step(tokens()[staying, 1:2])

    torch.testing.assert_close(logits[:, 0], expected[staying, 2], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_branch_leaves_the_reader_as_it_was(model: Any, mask: Tensor) -> None:
    expected, reader = expected_logits(model, mask), reader_of(model, mask)

    times = [2] * len(tokens())
    branch = reader.branch(times)
    branched = branch.step(tokens().repeat_interleave(2, dim=0))
    logits = reader.step(tokens())

    torch.testing.assert_close(branched, expected[:, 1:].repeat_interleave(2, dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, expected[:, 1:], atol=1e-5, rtol=1e-5)
