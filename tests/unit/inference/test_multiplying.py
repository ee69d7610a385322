import pytest
import torch
from torch import nn

from blip_core.inference.multiplying import MIN_ROWS, quick_linears


@pytest.fixture
def linear() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(40, 24)


@pytest.mark.parametrize("rows", [1, MIN_ROWS, 100])
@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_products_are_the_same_but_for_the_last_bits(linear: nn.Linear, rows: int, bias: bool) -> None:
    linear.bias = linear.bias if bias else None
    states = torch.randn(rows, 3, 40)
    expected = linear(states)

    with quick_linears(nn.Sequential(linear)):
        quick = linear(states)

    torch.testing.assert_close(quick, expected, atol=1e-5, rtol=1e-5)
    assert quick.shape == expected.shape


def test_afterwards_a_model_is_as_it_was(linear: nn.Linear) -> None:
    with pytest.raises(RuntimeError, match="stop"), quick_linears(linear), quick_linears(linear):
        raise RuntimeError("stop")

    assert "forward" not in vars(linear)
    assert linear(torch.ones(9, 40)).requires_grad


def test_other_types_multiply_as_ever() -> None:
    half = nn.Linear(40, 24, dtype=torch.bfloat16)

    with quick_linears(half):
        assert "forward" not in vars(half)
