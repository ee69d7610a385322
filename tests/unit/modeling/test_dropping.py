import pytest
import torch
from torch import Tensor, nn

from blip_core.modeling.dropping import quick_dropout

MANY = 200_000
CHANCE = 0.1


def dropped(seed: int, states: Tensor, dropout: nn.Dropout) -> Tensor:
    with torch.random.fork_rng(), quick_dropout(dropout):
        torch.manual_seed(seed)
        result: Tensor = dropout(states)
        return result


def test_a_share_is_dropped_and_the_mean_stays() -> None:
    result = dropped(0, torch.ones(MANY), nn.Dropout(CHANCE))

    assert result.unique().tolist() == pytest.approx([0.0, 1 / (1 - CHANCE)])
    assert float((result == 0).float().mean()) == pytest.approx(CHANCE, abs=0.005)
    assert float(result.mean()) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (7, 2, 9)])
def test_what_is_dropped_depends_on_the_seed_alone(shape: tuple[int, ...]) -> None:
    states, dropout = torch.randn(shape), nn.Dropout(0.5)

    assert torch.equal(dropped(1, states, dropout), dropped(1, states, dropout))
    assert dropped(1, states, dropout).shape == states.shape
    assert not torch.equal(dropped(1, torch.ones(64), dropout), dropped(2, torch.ones(64), dropout))


def test_every_call_drops_others_also_where_the_seed_is_the_same() -> None:
    dropout, states = nn.Dropout(0.5), torch.ones(MANY)
    with torch.random.fork_rng(), quick_dropout(dropout):
        torch.manual_seed(4)
        first, second = dropout(states) == 0, dropout(states) == 0

    both = float((first & second).float().mean())
    assert both == pytest.approx(0.25, abs=0.005)


def test_neighbours_are_dropped_independently() -> None:
    is_dropped = (dropped(5, torch.ones(MANY), nn.Dropout(0.5)) == 0).float()

    for apart in (1, 2, 4, 64):
        both = float((is_dropped[apart:] * is_dropped[:-apart]).mean())
        assert both == pytest.approx(0.25, abs=0.005)


def test_nothing_is_dropped_of_nothing() -> None:
    assert dropped(0, torch.ones(0, 3), nn.Dropout(CHANCE)).shape == (0, 3)


def test_gradients_flow_where_nothing_was_dropped() -> None:
    states = torch.ones(1000, requires_grad=True)

    result = dropped(3, states, nn.Dropout(CHANCE))
    (gradient,) = torch.autograd.grad(result.sum(), [states])

    assert torch.equal(gradient, result)


def test_nothing_is_dropped_while_evaluating_and_a_model_is_left_as_it_was() -> None:
    dropout, states = nn.Dropout(CHANCE).eval(), torch.ones(100)

    assert torch.equal(dropped(0, states, dropout), states)
    assert "forward" not in vars(dropout)
