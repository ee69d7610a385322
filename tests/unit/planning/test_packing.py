"""Quantised weights on no device rest in the bytes that real ones do."""

import pytest

from blip_core.modeling.loading import load_blip2
from blip_core.planning.meta_blip2 import load_on_meta, resting


@pytest.mark.parametrize("family", ["t5", "opt"])
@pytest.mark.parametrize("quantisation", ["none", "int8", "nf4"])
def test_every_part_takes_what_it_takes_when_it_is_loaded(tiny_blip2, family, quantisation):
    bundle = load_blip2(tiny_blip2(family), quantisation, dtype="bfloat16")
    foreseen = {(row.module, row.dtype): row for row in resting(_on_meta(bundle, quantisation))}
    assert set(foreseen) == {(row.module, row.dtype) for row in bundle.manifest}
    for row in bundle.manifest:
        planned = foreseen[row.module, row.dtype]
        assert planned.parameters == row.parameters
        # What a linear keeps of its own shape in words is not foreseen: some 100 bytes each.
        assert planned.bytes == pytest.approx(row.bytes, rel=0.0 if quantisation == "none" else 0.1)


def _on_meta(bundle, quantisation):
    return load_on_meta(bundle.blip2.config, quantisation, "bfloat16").model
