"""Tuning OPT-2.7b, its language model in int8: whether it runs, its memory and its speed."""

from collections.abc import Iterator

from tests.benchmarks import gpu_finetune
from tests.gpu.report import claims
from tests.gpu.report.setting import Figures, Setting


def measure(setting: Setting) -> Iterator[Figures]:
    """Steps for a small card, then what was planned for them."""
    step = gpu_finetune.small_card_memory(setting.sizes.int8)
    yield step
    if step["peak_gb"] is not None:
        apart = abs(step["planned_gb"] - step["peak_gb"]) / step["peak_gb"]
        yield claims.at_most(
            "what `foundry plan` says of it, apart by", round(apart, 3), claims.PLAN_TOLERANCE
        )
