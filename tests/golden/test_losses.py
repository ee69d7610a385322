from pathlib import Path

import pytest

from blip_core.modeling.quantisation import Quantisation
from tests.golden.losses import CASES, POCKET_CASES, kept, this_machine, tune_pocket, tune_tiny

# Other CPUs and releases of torch sum in another order; quantised models then round to 16 bits.
RECORDED_FIRST = "AVX512"  # what a processor of no entry is held against
TOLERANCE = {"none": 1e-3, "nf4": 2e-2, "int8": 2e-2}


@pytest.mark.parametrize(("family", "quantisation"), CASES)
def test_a_fixed_tiny_tuning_gives_the_losses_on_file(
    family: str, quantisation: Quantisation, tmp_path: Path
) -> None:
    check(f"{family}-{quantisation}", tune_tiny(family, quantisation, tmp_path), quantisation)


@pytest.mark.parametrize(("model", "quantisation"), POCKET_CASES)
def test_the_pocket_recipe_gives_the_losses_on_file(
    model: str, quantisation: Quantisation, tmp_path: Path
) -> None:
    check(f"{model}-{quantisation}", tune_pocket(model, quantisation, tmp_path), quantisation)


def check(name: str, losses: list[float], quantisation: Quantisation) -> None:
    entries = kept()
    golden = entries.get(this_machine()["cpu"], entries[RECORDED_FIRST])

    assert losses == pytest.approx(golden["losses"][name], rel=TOLERANCE[quantisation], abs=1e-2), (
        f"recorded on {golden['made_on']}, run on {this_machine()}"
    )
