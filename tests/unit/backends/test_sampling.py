import math

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blip_core.backends.sampling import DrawnTokens, Sampling, SeededSampler, generate_texts

PROMPT = torch.zeros(1, 3, dtype=torch.long)


def draw(seeds, scores, written=0, **changes):
    sampling = Sampling(**{"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 8} | changes)
    sampler = SeededSampler(seeds, sampling)
    tokens = PROMPT.expand(len(seeds), 3)
    chosen = sampler(tokens, scores)
    for step in range(1, written + 1):
        chosen = sampler(torch.zeros(len(seeds), 3 + step, dtype=torch.long), scores)
    assert (chosen.isfinite().sum(dim=-1) == 1).all()
    return chosen.argmax(dim=-1)


def test_draws_follow_the_distribution_of_the_nucleus():
    rows = 4_000
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().mul(2.0).expand(rows, 4)
    chosen = draw(range(rows), scores, temperature=2.0, top_p=0.75)
    shares = torch.bincount(chosen, minlength=4) / rows
    spread = 4 * math.sqrt(0.625 * 0.375 / rows)
    assert shares[0] == pytest.approx(0.625, abs=spread)
    assert shares[1] == pytest.approx(0.375, abs=spread)
    assert shares[2:].tolist() == [0.0, 0.0]


def test_a_small_nucleus_leaves_the_likeliest_token():
    scores = torch.tensor([[0.1, 3.0, 0.2]]).expand(50, 3)
    assert draw(range(50), scores, top_p=1e-6).tolist() == [1] * 50


def test_a_row_draws_the_same_whatever_stands_beside_it():
    scores = torch.zeros(1, 1_000)
    alone = draw([5], scores)
    beside = draw([9, 5, 7], scores.expand(3, 1_000))
    assert beside[1] == alone[0]


def test_every_token_has_a_draw_of_its_own():
    scores = torch.zeros(1, 1_000)
    drawn = {int(draw([5], scores, written=count)[0]) for count in range(6)}
    assert len(drawn) == 6


def test_drawn_tokens_are_scored_by_the_logits_they_were_drawn_from():
    chances = torch.tensor([[[0.7, 0.2, 0.1]], [[0.1, 0.3, 0.6]]])  # of two steps
    drawn = DrawnTokens()
    drawn(PROMPT, chances[0].log() + 5.0)
    drawn(torch.tensor([[0, 0, 0, 1]]), chances[1].log() - 2.0)
    scored = drawn.log_probabilities(torch.tensor([[0, 0, 0, 1, 2]]))
    assert scored == [pytest.approx([math.log(0.2), math.log(0.6)], abs=1e-6)]
    assert DrawnTokens().log_probabilities(PROMPT) == [[]]


def spelling_tokenizer():
    """One token a character, and none that is stripped: a text has one spelling."""
    vocabulary = {token: index for index, token in enumerate(["</s>", *"abcdefghijkl.ö漢"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", padding_side="left"
    )


@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (1.0, 0.9), (3.0, 0.5)])
def test_tokens_are_scored_by_what_the_model_thinks_of_them_however_they_are_drawn(temperature, top_p):
    torch.manual_seed(0)
    tokenizer = spelling_tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.5, **sizes)).eval()
    prompts = ["abc", "h."]
    inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = 0
    written = generate_texts(model, tokenizer, prompts, inputs, [3, 4], Sampling(temperature, top_p, 20))
    for prompt, one in zip(prompts, written, strict=True):
        assert one.starts
        tokens = tokenizer(prompt + one.text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            chances = model(tokens).logits[0].log_softmax(dim=-1)
        before = len(prompt) - 1
        for place, told in zip(one.starts, one.log_probabilities, strict=True):
            token = tokens[0, len(prompt) + place]
            assert told == pytest.approx(float(chances[before + place, token]), abs=1e-4)
