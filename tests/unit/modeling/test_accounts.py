from typing import Any

import pytest

from blip_core.modeling import account_parameters, attach_adapter, load_blip2
from blip_core.recipes.finetune import Adapter
from tests.benchmarks.shapes import flan_t5_xl
from tests.tiny_blip2 import QUERIES, WIDTH, FolderOf, blip2_config

FLAN_T5_XL = 2_849_757_184  # google/flan-t5-xl, its head untied
PROJECTION = WIDTH * WIDTH + WIDTH


@pytest.mark.parametrize(
    "adapter",
    [
        Adapter(preset="qformer", r=4),
        Adapter(preset="projection"),
        Adapter(preset="projection-queries"),
        Adapter(preset="language-model"),
        Adapter(preset="language-attention", r=2, full=("query_tokens",)),
    ],
    ids=lambda adapter: str(adapter.preset),
)
def test_accounts_agree_with_the_model_that_is_trained(tiny_blip2: FolderOf, adapter: Adapter) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    account = account_parameters(bundle.blip2.config, adapter, "none")

    parameters = list(attach_adapter(bundle, adapter, seed=0).model.parameters())

    assert sum(p.numel() for p in parameters if p.requires_grad) == account.adapter
    assert sum(p.numel() for p in parameters) == account.total


def test_a_published_t5_is_trained_with_the_head_of_its_own() -> None:
    account = account_parameters(flan_t5_xl(), Adapter(preset="language-model"), "none")

    assert account.adapter == FLAN_T5_XL
    assert account.total == account.base


def test_query_tokens_are_trained_where_they_stand() -> None:
    config: Any = blip2_config("opt", 300, 2)
    bare = account_parameters(config, None, "nf4")
    account = account_parameters(config, Adapter(preset="projection-queries"), "nf4")

    assert account.adapter == PROJECTION + QUERIES * WIDTH
    assert account.total == bare.total + PROJECTION
    assert account.total_packed == bare.total_packed + PROJECTION
