from dataclasses import replace

import pytest
from PIL import Image

from blip_core.reporting.charts import differences, reliability
from blip_core.scoring import Bin, Calibration

CALIBRATION = Calibration(0.1, 0.5, (Bin(0.2, 0.3, 10, 0.25, 0.3), Bin(0.9, 1.0, 30, 0.99, 0.8)))


def test_differences_are_drawn_and_significant_ones_stand_out(ladder, tmp_path):
    path = differences(ladder.comparisons, tmp_path / "d.svg")
    assert "#0072b2" in path.read_text()
    dull = [replace(one, low=-0.5, high=0.5) for one in ladder.comparisons]
    assert "#0072b2" not in differences(dull, tmp_path / "dull.svg").read_text()


def test_equal_comparisons_give_equal_bytes(ladder, tmp_path):
    first, second = (differences(ladder.comparisons, tmp_path / name / "d.svg") for name in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("variants", [1, 2, 5])
def test_reliability_has_a_panel_a_variant(variants, tmp_path):
    found = {f"v{number}": CALIBRATION for number in range(variants)}
    with Image.open(reliability(found, tmp_path / "r.png")) as drawn:
        rows = -(-variants // 3)
        assert drawn.height > 350 * rows
    assert reliability(found, tmp_path / "r.svg").read_text().count("PathCollection") == variants


@pytest.mark.parametrize(("draw", "nothing"), [(differences, []), (reliability, {})])
def test_nothing_cannot_be_drawn(draw, nothing, tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        draw(nothing, tmp_path / "x.svg")
