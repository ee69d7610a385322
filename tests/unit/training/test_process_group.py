import torch

from blip_core.training.process_group import ALONE, ProcessGroup
from blip_core.training.randomness import joined_states, states_of


def test_rows_are_dealt_out_and_one_process_may_have_none() -> None:
    rows = ["a", "b", "c", "d", "e"]

    assert [ProcessGroup(rank, 2).share(rows) for rank in range(2)] == [["a", "c", "e"], ["b", "d"]]
    assert ProcessGroup(1, 2).share(["a"]) == []


def test_one_alone_exchanges_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(2))

    ALONE.sum_gradients([weight])
    ALONE.begin_equal([weight])

    assert weight.grad is None
    assert (ALONE.told("said"), ALONE.least(3), ALONE.collect(b"own")) == ("said", 3, [b"own"])
    assert ALONE.in_turn(torch.tensor([1.0, 2.0]), 2).tolist() == [1.0, 2.0]


def test_each_process_finds_its_own_random_states_again() -> None:
    states = [{"torch": torch.tensor([rank]), "numpy": torch.tensor([rank + 10])} for rank in range(12)]

    joined = joined_states(states)

    assert [states_of(joined, rank) for rank in range(12)] == states
    assert states_of(joined, 12) == {}
