import json
from pathlib import Path

import pytest
import torch

from blip_core.modeling.quantisation import Quantisation
from tests.golden.losses import CASES, FILE, tune_tiny

# Other CPUs and releases of torch sum in another order; NF4 then rounds to bfloat16.
TOLERANCE = {"none": 1e-3, "nf4": 2e-2}


@pytest.mark.parametrize(("family", "quantisation"), CASES)
def test_a_fixed_tiny_tuning_gives_the_losses_on_file(
    family: str, quantisation: Quantisation, tmp_path: Path
) -> None:
    golden = json.loads(FILE.read_text(encoding="utf-8"))

    losses = tune_tiny(family, quantisation, tmp_path)

    here = {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}
    assert losses == pytest.approx(
        golden["losses"][f"{family}-{quantisation}"], rel=TOLERANCE[quantisation]
    ), f"recorded on {golden['made_on']}, run on {here}"
