"""What a computation allocates and computes, from its operations, on tensors that hold no memory.

Modules run on the `meta` device as they would on a GPU: every operation gives tensors of the right shape and
type and no values. `LiveBytes` sees each of them when it is made and when the last reference to it goes, so
that the peak is that of the very code that trains and answers, not of a formula about it.
"""

import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

Where = Literal["cuda", "cpu"]

_BIAS_ALIGNMENT = 8  # to which PyTorch pads the rows of an attention bias for its memory-efficient kernel
_ATEN = torch.ops.aten
_FLASH_ON_CPU = _ATEN._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001  # its only name
_FLASH_ON_CPU_BACKWARD = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward  # noqa: SLF001
_ELEMENTWISE = {_ATEN.mul.Tensor, _ATEN.add.Tensor, _ATEN.sub.Tensor, _ATEN.div.Tensor}
# Tensors of these share memory with others or are never written: no work on any device.
_FREE = {"view", "_unsafe_view", "transpose", "t", "permute", "expand", "slice", "select", "detach", "alias"}
_FREE |= {"unsqueeze", "squeeze", "as_strided", "unbind", "split", "split_with_sizes", "chunk", "empty"}
_FREE |= {"empty_like", "new_empty", "empty_strided", "new_empty_strided", "lift_fresh", "unfold", "diagonal"}


@dataclass(frozen=True, slots=True)
class Operation:
    """Operations of one size.

    Attributes:
        flops: multiplications and additions of matrix products, convolutions and attention.
        moved: bytes that are read and written.
        single: whether it computes in float32.
    """

    flops: int
    moved: int
    single: bool


@dataclass(frozen=True)
class Work:
    """Operations with how often they are done."""

    counts: Mapping[Operation, float] = field(default_factory=dict)

    @property
    def flops(self) -> float:
        return sum(one.flops * times for one, times in self.counts.items())

    @property
    def operations(self) -> float:
        return sum(self.counts.values())

    def __mul__(self, times: float) -> "Work":
        return Work({one: count * times for one, count in self.counts.items()})

    def __add__(self, other: "Work") -> "Work":
        counts = dict(self.counts)
        for one, times in other.counts.items():
            counts[one] = counts.get(one, 0) + times
        return Work(counts)


class LiveBytes(TorchDispatchMode):
    """Counts bytes of tensors made inside, now (`live`) and at most (`peak`), and the work of making them.

    Args:
        resident: modules whose weights are there already and are not counted.
    """

    def __init__(self, *resident: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._sizes: dict[int, tuple[Any, int]] = {}
        self._counts: Counter[tuple[int, int, bool]] = Counter()
        for module in resident:
            self._keep_out([*module.parameters(), *module.buffers()])

    @property
    def work(self) -> Work:
        """All that was computed so far."""
        return _work(self._counts)

    @contextmanager
    def part(self) -> Iterator[Callable[[], Work]]:
        """Gives a function that tells the work done since."""
        before = Counter(self._counts)
        yield lambda: _work(self._counts - before)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Do an operation and count what it made."""
        named = kwargs or {}
        asked = _asked(func, args, named)
        done = _DONE.get(asked) if asked else None
        result = done.again() if done else _do(func, args, named)
        made = [result] if isinstance(result, Tensor) else _tensors(result)
        for tensor in made:
            self._watch(tensor)
        self.peak = max(self.peak, self.live)
        count = done.count if done else _count(func, args, named, result, made)
        if count:
            self._counts[count] += 1
        if asked and not done and _is_plain(result):
            _DONE[asked] = _Done([_layout(tensor) for tensor in made], isinstance(result, Tensor), count)
        return result

    def _keep_out(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._sizes[id(storage)] = (storage, 0)  # held, so that no other storage takes its number

    def _watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        number = id(storage)
        if number in self._sizes:
            return
        size = storage.nbytes()
        self._sizes[number] = (weakref.ref(storage, lambda _: self._forget(number)), size)
        self.live += size

    def _forget(self, number: int) -> None:
        _, size = self._sizes.pop(number)
        self.live -= size


@dataclass(frozen=True, slots=True)
class _Done:
    """What an operation gave and took.

    Attributes:
        layouts: sizes, strides and type of each tensor that it made.
        single: whether it gave a tensor, not a tuple of them.
        count: what it counts as; None where it is no work.
    """

    layouts: list[tuple[tuple[int, ...], tuple[int, ...], torch.dtype]]
    single: bool
    count: tuple[int, int, bool] | None

    def again(self) -> Any:
        """New tensors like those that it gave."""
        made = [
            torch.empty_strided(size, strides, dtype=kind, device="meta")
            for size, strides, kind in self.layouts
        ]
        return made[0] if self.single else tuple(made)


# A model repeats its operations in every layer, and torch's way to say what one gives takes most of a plan's
# time. What it gives on `meta` depends on what is asked alone, so it is asked once a process.
_DONE: dict[tuple[Any, ...], _Done] = {}


def _do(func: Any, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    return _elementwise(args) if func in _ELEMENTWISE and not named else func(*args, **named)


def _asked(func: Any, args: Sequence[Any], named: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """An operation with all that its result depends on; None where that shares memory with an operand."""
    if not _makes_anew(func):
        return None
    parts = [_described(value) for value in (*args, *named.values())]
    if None in parts:
        return None
    return (func, torch.get_default_dtype(), len(args), *named, *parts)


@cache
def _makes_anew(func: Any) -> bool:
    schema = func._schema  # noqa: SLF001  # its only name
    return not schema.is_mutable and not any(one.alias_info for one in schema.returns)


def _described(value: Any) -> tuple[Any, ...] | None:
    """An operand without its values; None where its values decide."""
    if isinstance(
        value, Tensor
    ):  # a number inside a tensor decides types otherwise than a tensor of one number
        return (value.shape, value.stride(), value.dtype) if value.is_meta and value.dim() else None
    if isinstance(value, list | tuple):
        parts = [_described(one) for one in value]
        return None if None in parts else (type(value), *parts)
    return type(value), value  # 1, 1.0 and True are equal, and give other types


def _is_plain(result: Any) -> bool:
    """Whether a result is one tensor or a tuple of them, each as large as its memory."""
    made = [result] if isinstance(result, Tensor) else result
    return isinstance(result, Tensor | tuple) and all(
        isinstance(one, Tensor)
        and one.storage_offset() == 0
        and _memory(one) == one.untyped_storage().nbytes()
        for one in made
    )


def _memory(tensor: Tensor) -> int:
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return (last + 1) * tensor.element_size() if tensor.numel() else 0


def _layout(tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], torch.dtype]:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype


def _count(
    func: Any, args: Sequence[Any], named: Mapping[str, Any], result: Any, made: Sequence[Tensor]
) -> tuple[int, int, bool] | None:
    packet = func.overloadpacket
    if packet.__name__ in _FREE:
        return None
    used = [*_tensors(args), *_tensors(named.values()), *made]
    single = bool(made) and made[0].dtype == torch.float32
    return _flops(packet, args, named, result), sum(map(_used_bytes, used)), single


def _work(counts: Mapping[tuple[int, int, bool], int]) -> Work:
    return Work({Operation(*one): times for one, times in counts.items()})


def _tensors(values: Any) -> list[Tensor]:
    """Tensors among arguments or results, also those in lists of them."""
    found = []
    for value in values if isinstance(values, Iterable) else ():
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [one for one in value if isinstance(one, Tensor)]
    return found


def _flops(packet: Any, args: Sequence[Any], named: Mapping[str, Any], result: Any) -> int:
    if packet is _FLASH_ON_CPU:  # torch counts that of GPUs alone
        return int(sdpa_flop_count(*(tensor.shape for tensor in args[:3])))
    if packet is _FLASH_ON_CPU_BACKWARD:
        return int(sdpa_backward_flop_count(*(tensor.shape for tensor in args[:4])))
    counter = flop_registry.get(packet)
    return int(counter(*args, **named, out_val=result)) if counter else 0


def _elementwise(operands: Sequence[Any]) -> Any:
    """What an operation on every element gives; torch's own way to find that out for `meta` is slow."""
    one, other = operands[:2]
    if not isinstance(other, Tensor):
        return torch.empty_like(one)
    shape = torch.broadcast_shapes(one.shape, other.shape)
    return torch.empty(shape, dtype=torch.result_type(one, other), device=one.device)


def _used_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's elements, an expanded dimension counted once."""
    strides = tensor.stride()
    if 0 not in strides:
        return tensor.numel() * tensor.element_size()
    sizes = [size for size, stride in zip(tensor.shape, strides, strict=True) if stride]
    return math.prod(sizes) * tensor.element_size()


class AsOn(TorchFunctionMode):
    """Lets code on `meta` tensors take the ways that it would take on the device that is planned for.

    Left alone, `meta` writes the whole matrix of attention scores, which no fused kernel does, and refuses to
    say whether a mask is full.

    Args:
        where: on a GPU attention is the memory-efficient kernel, which takes masks, biases and dropout; on a
            CPU the flash kernel, and none where there is dropout or a bias that needs a gradient.
        padded: whether rows have pads, so that no mask can be left out.
    """

    def __init__(self, where: Where, *, padded: bool = True) -> None:
        super().__init__()
        self._where = where
        self._padded = padded

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, attention by its fused kernel; a mask is asked for its truth when it is full."""
        named = dict(kwargs or {})
        if func is scaled_dot_product_attention:
            return _attend(self._where, *args, **named)
        if func is Tensor.__bool__ and args[0].is_meta:
            return not self._padded
        return func(*args, **named)


def _attend(
    where: Where,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    if where == "cpu":
        return _attend_on_cpu(query, key, value, attn_mask, dropout_p, is_causal, scale)
    bias = _bias(attn_mask, query, key)
    needs_grad = torch.is_grad_enabled() and any(t.requires_grad for t in (query, key, value))
    attended: Tensor = _ATEN._scaled_dot_product_efficient_attention(  # noqa: SLF001  # its only name
        query, key, value, bias, needs_grad, dropout_p, is_causal, scale=scale
    )[0]
    return attended


def _bias(mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """A mask as the kernel takes it: added to the scores, its rows padded, spread over batch and heads."""
    if mask is None:
        return None
    bias = torch.zeros_like(mask, dtype=query.dtype) if mask.dtype == torch.bool else mask
    short = -bias.shape[-1] % _BIAS_ALIGNMENT
    if short:
        bias = pad(bias, (0, short))[..., : key.shape[-2]]
    return bias.expand(*query.shape[:-1], key.shape[-2])


def _attend_on_cpu(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float,
    is_causal: bool,
    scale: float | None,
) -> Tensor:
    bias_needs_grad = mask is not None and mask.requires_grad
    if dropout or bias_needs_grad or query.ndim != 4:
        return scaled_dot_product_attention(query, key, value, mask, dropout, is_causal, scale=scale)
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype)
    attended: Tensor = _FLASH_ON_CPU(query, key, value, dropout, is_causal, attn_mask=mask, scale=scale)[0]
    return attended
