import pytest
import torch
from torch import nn

from blip_core.modeling.replacing import is_replaced, replaced_forwards


def doubled(module, states):
    return 2 * type(module).forward(module, states)


def failing(module, states):
    with replaced_forwards([(module, doubled)]):
        assert module(states).tolist() == [0.0, 6.0]
        raise RuntimeError


def test_a_module_goes_another_way_until_the_end_also_of_a_failure():
    module, states = nn.ReLU(), torch.tensor([-1.0, 3.0])
    with pytest.raises(RuntimeError):
        failing(module, states)
    assert module(states).tolist() == [0.0, 3.0]


def test_a_module_that_goes_another_way_already_keeps_it_and_is_put_back_by_whoever_changed_it():
    module, states = nn.ReLU(), torch.tensor([3.0])
    with replaced_forwards([(module, doubled)]):
        with replaced_forwards([(module, lambda *_: pytest.fail("replaced twice"))]):
            assert module(states).tolist() == [6.0]
        assert is_replaced(module)
    assert not is_replaced(module)
