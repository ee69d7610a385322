"""What a comparison says is made of plain values: it is written as JSON."""

import numpy as np
import pytest

from blip_core.scoring.paired import compare_values


@pytest.mark.parametrize("rows", [3, 40])  # few enough for every way of flipping signs, and too many
def test_a_p_value_is_a_plain_number(rows):
    values = np.linspace(0.0, 5.0, rows)
    found = compare_values(values, values + 0.5, [str(row) for row in range(rows)], None, 0, 50)
    assert type(found.p_value) is float
    assert type(found.difference) is float
