import math

import pytest
import torch

from blip_core.backends.sampling import Sampling, SeededSampler

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
