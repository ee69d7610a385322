from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from blip_core.modeling.adapting import add_low_rank, quick_adapters
from blip_core.modeling.dropping import quick_dropout

ROWS, IN, OUT, RANK = 24, 20, 12, 4
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # sums of float32 in another order


class Layers(nn.Module):
    """Two layers, so that the second one's states take a gradient and the first one's do not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(IN, OUT), nn.Linear(OUT, IN)

    def forward(self, states: Tensor) -> Tensor:
        seen: Tensor = self.second(self.first(states).tanh())
        return seen


def tuned(dropout: float = 0.3, **more: Any) -> Any:
    torch.manual_seed(0)
    lora = LoraConfig(r=RANK, lora_alpha=6, lora_dropout=dropout, target_modules=["first", "second"], **more)
    model = get_peft_model(Layers(), lora).train()
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # which begin at zero
            nn.init.normal_(weight)
    return model


def states(rows: int = ROWS) -> Tensor:
    return torch.randn(2, rows // 2, IN, generator=torch.Generator().manual_seed(1))


def with_gradients(model: Any, given: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(5)
    result = model(given)
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    return result, *torch.autograd.grad(result.square().mean(), learnt)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("rows", [ROWS, 2])
def test_values_and_gradients_are_those_of_peft_where_the_same_is_dropped(dropout: float, rows: int) -> None:
    model, given = tuned(dropout), states(rows)
    with quick_dropout(model):
        expected = with_gradients(model, given)
        with quick_adapters(model):
            ours = with_gradients(model, given)

    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, **TOLERANCE)


def test_nothing_is_dropped_while_evaluating() -> None:
    model = tuned().eval()
    expected = model(states())
    with quick_adapters(model), torch.no_grad():
        torch.testing.assert_close(model(states()), expected, **TOLERANCE)


def test_gradients_are_those_of_finite_differences() -> None:
    shapes = (3, 5), (3, 4), (2, 5), (4, 2)
    given = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    assert torch.autograd.gradcheck(lambda *four: add_low_rank(*four, 1.5, 0.0), given)


def switched_off(model: Any) -> None:
    model.disable_adapter_layers()


def with_another(model: Any) -> None:
    model.add_adapter("other", LoraConfig(r=2, target_modules=["first"]))
    model.base_model.set_adapter(["default", "other"])


def merged(model: Any) -> None:
    model.merge_adapter()


@pytest.mark.parametrize("change", [switched_off, with_another, merged])
def test_layers_in_another_state_go_the_way_of_peft_to_the_bit(change: Any) -> None:
    model = tuned(0.0)
    change(model)
    expected = model(states())
    with quick_adapters(model):
        assert torch.equal(model(states()), expected)


@pytest.mark.parametrize("more", [{"use_dora": True}, {"lora_bias": True}])
def test_other_kinds_of_adapters_go_the_way_of_peft_to_the_bit(more: dict[str, Any]) -> None:
    model = tuned(0.0, **more)
    expected = with_gradients(model, states())
    with quick_adapters(model):
        assert all(map(torch.equal, with_gradients(model, states()), expected))


def test_other_types_go_the_way_of_peft_to_the_bit() -> None:
    model = tuned(0.0).bfloat16()
    expected = with_gradients(model, states().bfloat16())
    with quick_adapters(model):
        assert all(map(torch.equal, with_gradients(model, states().bfloat16()), expected))


def test_layers_are_left_as_they_were_also_after_a_failure() -> None:
    model = tuned()
    with pytest.raises(RuntimeError), quick_adapters(model):
        model(torch.zeros(1, IN + 1))
    assert not any("forward" in vars(module) for module in model.modules())
