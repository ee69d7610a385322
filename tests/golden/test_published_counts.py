"""The parameter counts that the source documents print, from configs alone."""

import pytest

from blip_core.modeling import account_parameters
from blip_core.recipes.finetune import Adapter
from tests.benchmarks.shapes import flan_t5_xl, opt_2_7b

BEFORE = 3_949_180_416
AFTER = 2_841_884_160
OPT_TRAINED = 5_242_880
OPT_TOTAL = 3_749_922_816


def test_flan_t5_xl_with_its_adapter_before_and_after_quantisation() -> None:
    account = account_parameters(flan_t5_xl(), Adapter(preset="qformer", r=32), "nf4")

    assert account.total == BEFORE
    assert account.total_packed == AFTER


def test_opt_with_an_adapter_on_two_attention_projections() -> None:
    account = account_parameters(opt_2_7b(), Adapter(preset="language-attention", r=16), "none")

    assert account.adapter == OPT_TRAINED
    assert account.total == OPT_TOTAL
    assert account.trainable_share == pytest.approx(0.001398, abs=5e-7)


def test_the_qformer_preset_sits_on_96_linears() -> None:
    from blip_core.modeling import targeted_linears
    from blip_core.modeling.architecture import meta_blip2

    assert len(targeted_linears(meta_blip2(flan_t5_xl()), Adapter(preset="qformer"))) == 96
