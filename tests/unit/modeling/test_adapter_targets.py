"""What an adapter trains is settled, and mistakes are refused, without weights."""

from typing import Any

import pytest
from bitsandbytes.nn import Linear4bit

from blip_core.errors import CheckpointError, RecipeError
from blip_core.modeling import attach_adapter, check_adapter, check_adapter_fits, load_blip2, targeted_linears
from blip_core.modeling.adapter_targets import full_sizes
from blip_core.modeling.architecture import meta_blip2
from blip_core.recipes.finetune import Adapter
from tests.tiny_blip2 import QUERIES, WIDTH, FolderOf, blip2_config

BLOCKS = 2  # of every part of the tiny model
T5_ATTENTIONS = 3 * BLOCKS  # the encoder's own, the decoder's own and the decoder's of the encoder


def tiny(family: str) -> Any:
    return meta_blip2(blip2_config(family, 300, 2))


def last_names(linears: dict[str, Any]) -> set[str]:
    return {name.rpartition(".")[2] for name in linears}


@pytest.mark.parametrize(
    ("preset", "family", "part", "names", "count"),
    [
        ("qformer", "t5", "qformer", {"query", "key", "value", "dense"}, 16),
        ("qformer-attention", "opt", "qformer", {"query", "value"}, 2 * BLOCKS),
        ("language-attention", "t5", "language_model", {"q", "v"}, 2 * T5_ATTENTIONS),
        ("language-attention", "opt", "language_model", {"q_proj", "v_proj"}, 2 * BLOCKS),
        ("language-attention-qk", "t5", "language_model", {"q", "k"}, 2 * T5_ATTENTIONS),
        ("language-attention-qk", "opt", "language_model", {"q_proj", "k_proj"}, 2 * BLOCKS),
    ],
)
def test_presets_sit_where_their_names_say(
    preset: Any, family: str, part: str, names: set[str], count: int
) -> None:
    linears = targeted_linears(tiny(family), Adapter(preset=preset))

    assert {name.split(".")[0] for name in linears} == {part}
    assert last_names(linears) == names
    assert len(linears) == count


def test_the_q_formers_self_attention_leaves_its_cross_attention_alone() -> None:
    linears = targeted_linears(tiny("t5"), Adapter(preset="qformer-attention"))

    assert not any("crossattention" in name for name in linears)


@pytest.mark.parametrize(
    ("preset", "sizes"),
    [
        ("projection", {"language_projection": WIDTH * WIDTH + WIDTH}),
        (
            "projection-queries",
            {"language_projection": WIDTH * WIDTH + WIDTH, "query_tokens": QUERIES * WIDTH},
        ),
    ],
)
def test_the_projection_presets_train_parts_in_full_and_no_lora(preset: Any, sizes: dict[str, int]) -> None:
    assert targeted_linears(tiny("t5"), Adapter(preset=preset)) == {}
    assert full_sizes(tiny("t5"), Adapter(preset=preset)) == sizes


def test_parts_in_full_come_once_beside_any_preset() -> None:
    assert Adapter(preset="qformer", full=("query_tokens",)).in_full == ("query_tokens",)
    assert Adapter(preset="projection", full=("language_projection",)).in_full == ("language_projection",)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("qformer", "which is not a linear but Blip2QFormerModel"),
        ("nothing.*", "matches no module"),
        (r"language_model\..*\.q_proj", r"matches no module .*language_model \(k, o, q, v, wi_0, wi_1, wo\)"),
        (r".*\.(query|fc1)", r"vision_model.*features is cached.*set finetune.features to fresh"),
        (r"language_model\.lm_head", "may share its weights with the embeddings"),
    ],
)
def test_patterns_that_cannot_work_are_refused_without_weights(pattern: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        targeted_linears(tiny("t5"), Adapter(pattern=pattern))


def test_the_vision_tower_can_be_tuned_where_it_runs_for_every_batch() -> None:
    linears = targeted_linears(tiny("t5"), Adapter(pattern=r"vision_model\..*\.fc1"), features="fresh")

    assert len(linears) == BLOCKS


def test_a_part_is_either_trained_in_full_or_carries_lora() -> None:
    with pytest.raises(RecipeError, match=r"language_projection, which finetune\.adapter trains in full"):
        targeted_linears(tiny("t5"), Adapter(pattern="language_projection", full=("language_projection",)))


def test_a_quantised_part_is_not_trained_in_full(tiny_blip2: FolderOf) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    bundle.blip2.language_projection = Linear4bit(WIDTH, WIDTH, quant_type="nf4").to("cpu")

    with pytest.raises(RecipeError, match="language_projection in full, but it is quantised"):
        attach_adapter(bundle, Adapter(preset="projection"), seed=0)


def test_what_will_be_quantised_is_refused_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blip_core.modeling.adapter_targets.is_quantisable", lambda name: True)
    check_adapter(tiny("t5"), Adapter(preset="projection"), quantisation="none")

    with pytest.raises(RecipeError, match=r"set finetune\.quantisation to none"):
        check_adapter(tiny("t5"), Adapter(preset="projection"), quantisation="nf4")


def test_a_checkpoint_tells_from_its_config_whether_an_adapter_fits(tiny_blip2: FolderOf) -> None:
    check_adapter_fits(tiny_blip2("opt"), Adapter(preset="qformer"), quantisation="int8")

    with pytest.raises(RecipeError, match="matches no module"):
        check_adapter_fits(tiny_blip2("opt"), Adapter(pattern=r"language_model\..*\.SelfAttention\.q"))


def test_a_folder_that_is_no_blip2_is_refused(tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["LlavaForConditionalGeneration"]}')

    with pytest.raises(CheckpointError, match=r"allowed here: BLIP-2 \(Blip2ForConditionalGeneration\)"):
        check_adapter_fits(tmp_path, Adapter(preset="qformer"))
