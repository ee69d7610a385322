import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import Blip2VisionConfig
from transformers.models.blip_2.modeling_blip_2 import Blip2MLP

from blip_core.modeling.multiplying import MIN_ROWS, multiply_by, multiply_gelu, quick_linears


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


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("rows", [1, MIN_ROWS, 100])
def test_gradients_are_the_same_but_for_the_last_bits(linear: nn.Linear, rows: int, learns: bool) -> None:
    linear.requires_grad_(learns)
    states = torch.randn(rows, 3, 40, requires_grad=True)
    taken = [states, *(linear.parameters() if learns else ())]
    expected = torch.autograd.grad(linear(states).square().sum(), taken)

    with quick_linears(linear):
        quick = torch.autograd.grad(linear(states).square().sum(), taken)

    torch.testing.assert_close(quick, expected, atol=1e-3, rtol=1e-5)


def test_no_gradient_is_lost_where_a_product_could_be_folded(linear: nn.Linear) -> None:
    states = torch.randn(MIN_ROWS, 40, requires_grad=True)

    with quick_linears(linear):
        folded = multiply_gelu(linear.requires_grad_(False), states, "tanh")

    assert torch.autograd.grad(folded.sum(), [states])[0].abs().sum() > 0


def test_afterwards_a_model_is_as_it_was(linear: nn.Linear) -> None:
    with pytest.raises(RuntimeError, match="stop"), quick_linears(linear), quick_linears(linear):
        raise RuntimeError("stop")

    assert "forward" not in vars(linear)
    assert linear(torch.ones(9, 40)).requires_grad


def test_other_types_multiply_as_ever() -> None:
    half = nn.Linear(40, 24, dtype=torch.bfloat16)

    with quick_linears(half):
        assert "forward" not in vars(half)


@pytest.mark.parametrize("rows", [1, MIN_ROWS, 100])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
@torch.inference_mode()
def test_what_follows_a_product_is_the_same_in_one_pass(
    linear: nn.Linear, rows: int, approximate: str
) -> None:
    states, factor = torch.randn(rows, 3, 40), torch.randn(rows, 3, 24)
    expected = functional.gelu(linear(states), approximate=approximate), linear(states) * factor
    plain = multiply_gelu(linear, states, approximate), multiply_by(linear, states, factor)

    with quick_linears(nn.Sequential(linear)):
        quick = multiply_gelu(linear, states, approximate), multiply_by(linear, states, factor)

    torch.testing.assert_close(plain, expected, atol=0, rtol=0)
    torch.testing.assert_close(quick, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_vision_layer_says_the_same_and_is_left_as_it_was() -> None:
    mlp = Blip2MLP(Blip2VisionConfig(hidden_size=24, intermediate_size=96))
    states = torch.randn(2, 9, 24)
    expected = mlp(states)

    with quick_linears(mlp):
        quick = mlp(states)

    torch.testing.assert_close(quick, expected, atol=1e-5, rtol=1e-5)
    assert "forward" not in vars(mlp)
