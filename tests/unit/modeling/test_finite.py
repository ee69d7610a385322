"""What is no number is found in weights, states and logits, and named."""

from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from blip_core.errors import CheckpointError, NotANumber
from blip_core.modeling import attach_adapter, load_adapter, load_blip2, save_adapter
from blip_core.modeling.finite import LogitsWatch, check_weights, finite_rows, is_finite, refuse_rows
from blip_core.modeling.merging import merge_adapter
from blip_core.modeling.pushing import plan_upload
from blip_core.recipes.checkpoint import Checkpoint
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import FolderOf, save_tiny_blip2

BASE = Checkpoint(id="Salesforce/blip2-flan-t5-xl", revision="abc123")
NONE = [nan, inf, -inf]


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    st.sampled_from([*NONE, 0.0, 6e4]),
    st.data(),
)
def test_one_value_decides_wherever_it_stands(
    shape: list[int], dtype: torch.dtype, value: float, data: st.DataObject
) -> None:
    values = torch.ones(shape, dtype=dtype)
    place = data.draw(st.integers(0, values.numel() - 1))
    values.view(-1)[place] = value

    assert is_finite(values) == bool(values.isfinite().all())
    assert (
        finite_rows(values[:, None]).tolist() == values.view(len(values), -1).isfinite().all(dim=1).tolist()
    )


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_numbers_of_eight_bits_are_looked_at_too(dtype: torch.dtype) -> None:
    assert is_finite(torch.ones(3).to(dtype))
    assert not is_finite(torch.tensor([1.0, nan]).to(dtype))


def test_packed_weights_and_nothing_at_all_are_numbers() -> None:
    assert is_finite(torch.full((4,), 255, dtype=torch.uint8))
    assert is_finite(torch.zeros(0, 3))


def test_rows_are_named_and_many_are_counted() -> None:
    names = [f"row-{number}" for number in range(6)]

    refuse_rows(torch.ones(6, dtype=torch.bool), names, "the tower")
    with pytest.raises(NotANumber, match=r"the tower gave NaN or infinity for row row-1: ") as one:
        refuse_rows(torch.tensor([True, False, True, True, True, True]), names, "the tower")
    assert one.value.place == 1
    with pytest.raises(NotANumber, match=r"row-0, row-1, row-2 and 3 more: "):
        refuse_rows(torch.zeros(6, dtype=torch.bool), names, "the tower")


@pytest.mark.parametrize("beams", [1, 3])
def test_a_watch_remembers_a_row_that_had_no_numbers_once(beams: int) -> None:
    watch = LogitsWatch()
    ids = torch.zeros(2 * beams, 1, dtype=torch.int64)
    watch(ids, torch.randn(2 * beams, 5))
    watch.refuse(["a", "b"], "the model")
    broken = torch.randn(2 * beams, 5)
    broken[-1, 2] = nan
    watch(ids, broken)
    watch(ids, torch.randn(2 * beams, 5))

    with pytest.raises(NotANumber, match="for row b"):
        watch.refuse(["a", "b"], "the model")


def test_minus_infinity_on_a_token_that_is_ruled_out_is_no_fault() -> None:
    watch = LogitsWatch()
    watch(torch.zeros(1, 1), torch.tensor([[0.5, -inf, 1.0]]))
    watch.refuse(["a"], "the model")


# Weights


@pytest.fixture
def adapter(tiny_blip2: FolderOf, tmp_path: Path) -> Path:
    kind = Adapter(pattern=r"qformer\..*\.query", r=4, full=("language_projection", "query_tokens"))
    tuned = attach_adapter(load_blip2(tiny_blip2("t5")), kind, seed=0)
    return save_adapter(tuned, tmp_path / "adapter", BASE)


def spoil(path: Path, value: float, place: Callable[[str], bool] = lambda name: True) -> str:
    """Put one value into the last tensor of a file that is chosen; gives the tensor's name."""
    tensors = load_file(path)
    name = [name for name in sorted(tensors) if place(name)][-1]
    tensors[name].view(-1)[-1] = value
    save_file(tensors, path, metadata={"format": "pt"})
    return name


@pytest.mark.parametrize("value", NONE)
@pytest.mark.parametrize("file", ["adapter_model.safetensors", "query_tokens.safetensors"])
def test_an_adapter_with_one_weight_that_is_none_is_refused_at_load(
    adapter: Path, tiny_blip2: FolderOf, file: str, value: float
) -> None:
    name = spoil(adapter / file, value)

    with pytest.raises(
        CheckpointError, match=f"the adapter in {adapter} holds weights that are NaN or infinite"
    ) as said:
        load_adapter(load_blip2(tiny_blip2("t5")), adapter)
    assert f"in {name} of {file}; train it again with a lower finetune.learning_rate" in str(said.value)


def test_an_adapter_of_nan_alone_is_refused_at_load(adapter: Path, tiny_blip2: FolderOf) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file({name: torch.full_like(one, nan) for name, one in load_file(path).items()}, path)

    with pytest.raises(CheckpointError, match="NaN or infinite"):
        load_adapter(load_blip2(tiny_blip2("t5")), adapter)


def test_such_an_adapter_is_neither_merged_nor_pushed(
    adapter: Path, tiny_blip2: FolderOf, tmp_path: Path
) -> None:
    spoil(adapter / "adapter_model.safetensors", inf)

    with pytest.raises(CheckpointError, match="NaN or infinite"):
        merge_adapter(adapter, BASE, tiny_blip2("t5"), tmp_path / "out")
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        plan_upload(adapter, "me/adapter", is_private=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["vision_model", "qformer", "language_model", "query_tokens"])
@pytest.mark.parametrize("quantisation", ["none", "nf4"])
def test_a_base_with_one_weight_that_is_none_is_refused_at_load(
    tmp_path: Path, part: str, quantisation: str
) -> None:
    folder = save_tiny_blip2("t5", tmp_path / "base")
    name = spoil(folder / "model.safetensors", nan, lambda name: part in name)

    with pytest.raises(CheckpointError, match=f"in {name} of model.safetensors; fetch it again"):
        load_blip2(folder, quantisation)  # type: ignore[arg-type]


def test_weights_are_looked_at_in_every_file(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for path in files:
        save_file({"w": torch.ones(3)}, path)
    check_weights(files, "it", "mend it")

    spoil(files[2], -inf)
    with pytest.raises(CheckpointError, match=r"in w of 2\.safetensors; mend it"):
        check_weights(files, "it", "mend it")


def test_a_row_of_a_batch_of_states_is_found_among_the_others() -> None:
    states: Tensor = torch.randn(4, 3, 5)
    states[2, 1, 1] = nan
    assert finite_rows(states).tolist() == [True, True, False, True]
