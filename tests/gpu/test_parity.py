import pytest

from tests.benchmarks.random_blip2 import make_random_blip2
from tests.benchmarks.shapes import SHAPES
from tests.gpu.parity import nf4_distance


@pytest.mark.parametrize("family", ["t5", "opt"])
def test_the_comparison_holds_at_tiny_size_on_the_cpu(family: str) -> None:
    assert nf4_distance(make_random_blip2(SHAPES[f"tiny-{family}"], "nf4")) < 0.02
