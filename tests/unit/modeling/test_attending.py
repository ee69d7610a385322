from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from blip_core.modeling import attending
from blip_core.modeling.attending import attend_dropped, quick_attention

ROWS, HEADS, ASKED, SEEN, WIDTH = 3, 2, 5, 7, 4
CHANCE = 0.3


class Module(nn.Module):
    """What an attention function is told of whoever attends."""

    is_causal = False


def states(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    return (
        states(ROWS, HEADS, ASKED, WIDTH),
        states(ROWS, HEADS, SEEN, WIDTH, seed=1),
        states(ROWS, HEADS, SEEN, WIDTH, seed=2),
    )


def plainly(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, factors: Tensor) -> Tensor:
    scores = query @ key.transpose(2, 3) * 0.5
    shares = (scores if bias is None else scores + bias).softmax(dim=-1)
    return shares * factors @ value


@pytest.mark.parametrize("bias", [None, torch.randn(1, HEADS, ASKED, SEEN), torch.randn(ROWS, 1, 1, SEEN)])
def test_values_and_gradients_are_those_of_the_plain_formula(
    monkeypatch: pytest.MonkeyPatch, bias: Tensor | None
) -> None:
    factors = torch.randint(0, 2, (ROWS, HEADS, ASKED, SEEN)) / (1 - CHANCE)
    monkeypatch.setattr(attending, "kept", lambda shares, chance: factors)
    given = inputs()

    ours = attend_dropped(*given, bias, 0.5, CHANCE)
    expected = plainly(*given, bias, factors)
    torch.testing.assert_close(ours, expected)
    towards = torch.randn(ours.shape)
    for mine, theirs in zip(
        torch.autograd.grad(ours, given, towards), torch.autograd.grad(expected, given, towards), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def attended(*, dropout: float, **more: Any) -> Tensor:
    with quick_attention():
        attend = ALL_ATTENTION_FUNCTIONS["sdpa"]
        told: Tensor = attend(Module(), *inputs(), dropout=dropout, **more)[0]
    return told


@pytest.mark.parametrize("shape", [(1, HEADS, ASKED, SEEN), (ROWS, 1, 1, SEEN)])
def test_a_bias_that_learns_gets_the_gradient_of_the_plain_formula(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    factors = torch.randint(0, 2, (ROWS, HEADS, ASKED, SEEN)) / (1 - CHANCE)
    monkeypatch.setattr(attending, "kept", lambda shares, chance: factors)
    given, bias = inputs(), states(*shape, seed=3)

    (ours,) = torch.autograd.grad(attend_dropped(*given, bias, 0.5, CHANCE).square().sum(), [bias])
    (expected,) = torch.autograd.grad(plainly(*given, bias, factors).square().sum(), [bias])
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("is_float", [True, False])
def test_masks_and_biases_by_place_are_heeded(monkeypatch: pytest.MonkeyPatch, is_float: bool) -> None:
    """Held against torch's own attention, with factors that drop nothing."""
    monkeypatch.setattr(attending, "kept", lambda shares, chance: torch.ones_like(shares))
    shown = torch.ones(ROWS, 1, ASKED, SEEN, dtype=torch.bool)
    shown[1, :, :, 4:] = False
    mask = torch.where(shown, 0.0, torch.finfo(torch.float32).min) if is_float else shown
    place = torch.randn(1, HEADS, ASKED, SEEN)

    ours = attended(dropout=CHANCE, attention_mask=mask, position_bias=place)
    torch_s, _ = sdpa_attention_forward(Module(), *inputs(), mask, position_bias=place)
    torch.testing.assert_close(ours, torch_s)


def test_layers_in_a_row_share_their_bias() -> None:
    mask, place = torch.ones(ROWS, 1, 1, SEEN, dtype=torch.bool), torch.randn(1, HEADS, ASKED, SEEN)
    attend = attending._Attending()
    first, second = attend._biased(mask, place), attend._biased(mask, place)
    assert first is second
    assert attend._biased(mask, place.clone()) is not first


def test_what_is_dropped_depends_on_the_seed_alone_and_keeps_the_mean() -> None:
    query, key = torch.zeros(1, 1, 2000, WIDTH), torch.zeros(1, 1, SEEN, WIDTH)
    value = torch.ones(1, 1, SEEN, WIDTH)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        one = attend_dropped(query, key, value, None, 1.0, CHANCE)
        torch.manual_seed(1)
        again = attend_dropped(query, key, value, None, 1.0, CHANCE)
    assert torch.equal(one, again)
    assert float(one.mean()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    "more",
    [
        {"dropout": 0.0, "attention_mask": None},
        {"dropout": CHANCE, "attention_mask": None, "is_causal": True},
    ],
)
def test_all_else_goes_the_way_of_torch(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    asked = []
    monkeypatch.setattr(
        attending, "sdpa_attention_forward", lambda *args, **kw: (asked.append(kw) or inputs()[0], None)
    )
    attended(**more)
    assert len(asked) == 1


def test_models_attend_as_before_afterwards() -> None:
    before = ALL_ATTENTION_FUNCTIONS["sdpa"]
    with quick_attention():
        assert ALL_ATTENTION_FUNCTIONS["sdpa"] is not before
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is before
