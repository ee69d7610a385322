"""How large everything is that is measured: as published on a GPU, tiny where only the code is tried."""

from dataclasses import dataclass, field, replace
from typing import Literal

from tests.benchmarks import gpu_finetune, gpu_inference

SizeName = Literal["full", "small"]


@dataclass(frozen=True, slots=True)
class CardCase:
    """What the card's own rates are measured with.

    Attributes:
        matmul_side: of square matrices.
        single_side: of those in float32, which take longer.
        copied_bytes: of a tensor that is copied.
        launches: of an operation that computes nothing.
    """

    matmul_side: int = 8192
    single_side: int = 4096
    copied_bytes: int = 4 * 2**30
    launches: int = 2000


@dataclass(frozen=True, slots=True)
class TwinCase:
    """What is computed on the CPU and on the device, in float32.

    Attributes:
        size: of the model: the whole tower and Q-Former, and little of the language model.
        pictures: that both look at.
        steps: that both learn.
        rows: of a step.
    """

    size: str = "flan-t5-xl-eyes"
    pictures: int = 4
    steps: int = 6
    rows: int = 4


@dataclass(frozen=True, slots=True)
class LabelCase:
    """How pictures are labelled.

    Attributes:
        checkpoint: whose shape the model has, as a shipped config names it; empty, a tiny one.
        batch_sizes: that are tried, smaller ones first.
        new_tokens: of every label; 0 takes the recipe's.
        picture_px: side of a picture.
    """

    checkpoint: str = "llava-hf/llava-1.5-7b-hf"
    batch_sizes: tuple[int, ...] = (4, 32, 64)
    new_tokens: int = 0
    picture_px: int = 512


@dataclass(frozen=True, slots=True)
class PictureCase:
    """How pictures are painted.

    Attributes:
        checkpoint: as in `LabelCase`.
        side_px: of a picture.
        batches: steps and batch sizes that are tried together.
    """

    checkpoint: str = "dreamlike-art/dreamlike-photoreal-2.0"
    side_px: int = 512
    batches: tuple[tuple[int, int], ...] = (
        *((50, 1), (50, 4), (50, 16)),
        *((20, 1), (20, 4), (20, 16)),
        *((30, 4), (30, 16)),
    )


@dataclass(frozen=True, slots=True)
class RecipeCase:
    """Rows that are worked exactly as a shipped profile asks, so that `foundry plan` can take the rate.

    Attributes:
        profiles: and how many rows are answered under each.
        steps: of tuning that are timed.
    """

    profiles: tuple[tuple[str, int], ...] = (("datacenter", 512), ("workstation", 128))
    steps: int = 12


@dataclass(frozen=True, slots=True)
class Sizes:
    """All cases of a report.

    Attributes:
        name: of these sizes.
        int8: tuning that reads its language model in int8.
        profiled_steps: of tuning, under the profiler.
        profiled_rows: answered under it.
        disk_bytes: that writing and reading a checkpoint needs.
    """

    name: SizeName
    card: CardCase = CardCase()
    tuning: gpu_finetune.GpuCase = field(default_factory=gpu_finetune.GpuCase)
    answering: gpu_inference.GpuCase = field(
        default_factory=lambda: gpu_inference.GpuCase(letter_rows=1024, oracle_rows=8)
    )
    twins: TwinCase = TwinCase()
    labels: LabelCase = LabelCase()
    pictures: PictureCase = PictureCase()
    recipe: RecipeCase = RecipeCase()
    int8: gpu_finetune.GpuCase = field(
        default_factory=lambda: gpu_finetune.GpuCase(size="opt-2.7b", quantisation="int8", pictures=16)
    )
    nf4: tuple[str, ...] = ("flan-t5-xl", "opt-2.7b")
    profiled_steps: int = 6
    profiled_rows: int = 256
    disk_bytes: int = 10**10

    def on(self, device: str) -> "Sizes":
        """The same on a device."""
        return replace(
            self,
            tuning=replace(self.tuning, device=device),
            answering=replace(self.answering, device=device),
            int8=replace(self.int8, device=device),
        )


_TINY = {"picture_px": 64, "pictures": 3, "questions": 2, "batch_size": 3, "steps": 1, "warm_up": 1}
_TINY |= {"oracle_steps": 1, "matmul_side": 64, "small_batch": 2, "text_tokens": 16}

SIZES: dict[SizeName, Sizes] = {
    "full": Sizes("full"),
    "small": Sizes(
        name="small",
        card=CardCase(matmul_side=64, single_side=64, copied_bytes=2**20, launches=10),
        tuning=gpu_finetune.GpuCase(size="tiny-t5", **_TINY),
        answering=gpu_inference.GpuCase(
            size="tiny-t5",
            rows=8,
            oracle_rows=2,
            questions=2,
            picture_px=64,
            batch_size=4,
            description_tokens=4,
            letter_rows=8,
            margin_bound=1e-3,
        ),
        twins=TwinCase(size="tiny-t5", pictures=2, steps=2, rows=2),
        labels=LabelCase("", batch_sizes=(1, 2), new_tokens=4, picture_px=64),
        pictures=PictureCase("", side_px=32, batches=((3, 1), (2, 2))),
        recipe=RecipeCase(profiles=(("datacenter", 4),), steps=1),
        int8=gpu_finetune.GpuCase(size="tiny-opt", quantisation="int8", **_TINY),
        nf4=("tiny-t5", "tiny-opt"),
        profiled_steps=2,
        profiled_rows=4,
        disk_bytes=10**7,
    ),
}
