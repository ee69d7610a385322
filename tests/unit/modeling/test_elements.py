from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.models.t5.modeling_t5 import T5LayerNorm

from blip_core.modeling.elements import quick_elements, scale_by_mean_square

WIDTH = 48
TOLERANCE = {"rtol": 2e-6, "atol": 2e-6}  # sums of float32 in another order


def norm() -> T5LayerNorm:
    made = T5LayerNorm(WIDTH)
    nn.init.normal_(made.weight, mean=1.0, std=0.1)
    return made


MADE = pytest.mark.parametrize("make", [norm, NewGELUActivation])


def states(dtype: torch.dtype = torch.float32) -> Tensor:
    drawn = torch.randn(3, 7, WIDTH, generator=torch.Generator().manual_seed(0)) * 3
    return drawn.to(dtype).requires_grad_()


def with_gradients(module: nn.Module, given: Tensor) -> tuple[Tensor, ...]:
    learnt = [given, *module.parameters()]
    result = module(given)
    towards = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view(result.shape)
    return result, *torch.autograd.grad(result, learnt, towards)


@MADE
def test_values_and_gradients_are_those_of_transformers(make: Callable[[], nn.Module]) -> None:
    module = make()
    expected = with_gradients(module, states())
    with quick_elements(module):
        ours = with_gradients(module, states())

    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, **TOLERANCE)
    assert not all(map(torch.equal, ours, expected))  # another way was taken


@MADE
def test_other_types_go_the_way_of_transformers_to_the_bit(make: Callable[[], nn.Module]) -> None:
    for module, dtype in ((make(), torch.bfloat16), (make().bfloat16(), torch.bfloat16)):
        expected = with_gradients(module, states(dtype))
        with quick_elements(module):
            ours = with_gradients(module, states(dtype))
        assert all(map(torch.equal, ours, expected))


def test_gradients_are_those_of_finite_differences() -> None:
    given, weight = torch.randn(2, 3, 5).double(), torch.randn(5).double()

    assert torch.autograd.gradcheck(
        lambda one, other: scale_by_mean_square(one, other, 1e-6),
        (given.requires_grad_(), weight.requires_grad_()),
    )


@pytest.mark.parametrize(("state_learns", "weight_learns"), [(True, False), (False, True)])
def test_only_what_learns_takes_a_gradient(state_learns: bool, weight_learns: bool) -> None:
    given = torch.randn(2, WIDTH).requires_grad_(state_learns)
    weight = torch.randn(WIDTH).requires_grad_(weight_learns)

    scale_by_mean_square(given, weight, 1e-6).sum().backward()

    assert (given.grad is not None, weight.grad is not None) == (state_learns, weight_learns)


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e15])
def test_states_of_any_size_are_scaled_as_by_transformers(value: float) -> None:
    module, given = norm(), torch.full((1, WIDTH), value)
    expected = module(given)
    with quick_elements(module):
        torch.testing.assert_close(module(given), expected, **TOLERANCE)


def test_states_that_are_no_numbers_stay_so() -> None:
    module, given = norm(), torch.randn(2, WIDTH)
    given[0, 0] = float("nan")
    with quick_elements(module):
        assert module(given).isfinite().all(dim=1).tolist() == [False, True]


@MADE
def test_modules_are_left_as_they_were_also_after_a_failure(make: Callable[[], nn.Module]) -> None:
    module = make()
    with quick_elements(module):
        assert "forward" in vars(module)
    assert "forward" not in vars(module)

    with pytest.raises(IndexError), quick_elements(module):
        module(torch.tensor([])[1])
    assert "forward" not in vars(module)


def test_whoever_replaced_a_forward_keeps_it() -> None:
    module, own = NewGELUActivation(), torch.nn.Identity()
    vars(module)["forward"] = own
    with quick_elements(module):
        assert vars(module)["forward"] is own
    assert vars(module)["forward"] is own
