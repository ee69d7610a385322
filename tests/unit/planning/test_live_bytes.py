"""What is counted while nothing is allocated, against what torch allocates."""

import gc
import warnings

import pytest
import torch
from torch.nn.functional import cross_entropy, scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from blip_core.modeling.adapters import attach_adapter
from blip_core.modeling.backbones import backbone_of
from blip_core.modeling.elements import quick_elements
from blip_core.modeling.features import image_features, prompt_embeddings
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.recomputing import compute_activations_twice
from blip_core.modeling.text import TokenBatch, text_positions
from blip_core.planning.answering import Questions, answer
from blip_core.planning.live_bytes import AsOn, LiveBytes, Work
from blip_core.planning.tuning import TrainingRows, tune
from blip_core.recipes import Adapter, Finetune
from blip_core.recipes.checkpoint import Checkpoint
from tests.benchmarks.shapes import SHAPES

META = torch.device("meta")
ROWS, TEXT_TOKENS, TARGET_TOKENS = 4, 40, 24
TRIED = ("tiny-t5", "tiny-opt", "8M", "tiny-llama", "tiny-instructed-t5", "tiny-instructed-llama")


def settings(gradient_checkpointing):
    return Finetune(
        base=Checkpoint(id="tests/random", dtype="float32"),
        adapter=Adapter(preset="qformer", r=4, alpha=8.0),
        quantisation="none",
        batch_size=ROWS,
        gradient_checkpointing=gradient_checkpointing,
    )


def allocated(step):
    """Most bytes that torch's own allocator held at once for a step, beyond what was there before."""
    gc.collect()  # what is left of other tests would be freed in the middle, and counted off
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            step()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def load(shape):
    torch.manual_seed(0)
    config = SHAPES[shape].config()
    config.image_token_index = 0
    model = backbone_of(config).model(config).eval().requires_grad_(False)
    return Blip2Bundle(model, None, SHAPES[shape].family, [], "none")


def token_batch(bundle, extra=0):
    ids = torch.ones(ROWS, bundle.query_count + TEXT_TOKENS + extra, dtype=torch.int64)
    ids[:, : bundle.query_count] = 0
    mask = torch.ones_like(ids)
    mask[0, 0 if bundle.is_causal else -1] = 0  # a batch without pads would take another way
    return TokenBatch(ids, mask)


def asked(bundle):
    """What a Q-Former reads beside the picture, if it reads anything."""
    if not bundle.backbone.reads_instruction:
        return None
    ids = torch.ones(ROWS, TEXT_TOKENS, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    return TokenBatch(ids, mask)


def states(bundle):
    vision = bundle.blip2.config.vision_config
    return torch.randn(ROWS, (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size)


def train_once(bundle):
    """A step as the learner takes it."""
    with quick_elements(bundle.model):
        _train_once(bundle)


def _train_once(bundle):
    features = image_features(bundle, states(bundle), asked(bundle))
    labels = torch.ones(ROWS, TARGET_TOKENS, dtype=torch.int64)
    batch = token_batch(bundle, TARGET_TOKENS if bundle.is_causal else 0)
    embeddings = prompt_embeddings(bundle, batch, features)
    inputs = {"inputs_embeds": embeddings, "attention_mask": batch.attention_mask, "use_cache": False}
    del features, embeddings
    language_model = bundle.blip2.language_model
    if bundle.is_causal:
        if bundle.family != "opt":
            inputs["position_ids"] = text_positions(batch.attention_mask)
        logits = language_model(**inputs, logits_to_keep=TARGET_TOKENS + 1).logits.float()[:, :-1]
    else:
        logits = language_model(**inputs, decoder_input_ids=labels.clone()).logits.float()
    loss = cross_entropy(logits.transpose(1, 2), labels, reduction="none").sum(dim=1).mean()
    del logits, inputs
    loss.backward()


@pytest.mark.parametrize("shape", TRIED)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_step_is_foreseen_within_a_tenth(shape, checkpointing):
    foreseen = tune(
        SHAPES[shape].config(), settings(checkpointing), TrainingRows(ROWS, TEXT_TOKENS, TARGET_TOKENS), "cpu"
    )
    bundle = attach_adapter(load(shape), settings(checkpointing).adapter, seed=0)
    bundle.model.train()
    if checkpointing:
        compute_activations_twice(bundle.blip2.language_model)
    assert foreseen.working == pytest.approx(allocated(lambda: train_once(bundle)), rel=0.1)


def test_checkpointed_activations_take_less_and_more_work():
    batch = TrainingRows(ROWS, TEXT_TOKENS, TARGET_TOKENS)
    kept, recomputed = (tune(SHAPES["8M"].config(), settings(on), batch, "cuda") for on in (False, True))
    assert recomputed.working < 0.7 * kept.working
    assert recomputed.work.flops > kept.work.flops


@pytest.mark.parametrize("shape", TRIED)
def test_reading_a_prompt_is_foreseen_within_a_tenth(shape):
    questions = Questions(ROWS, ROWS, describe_tokens=0, answer_tokens=TEXT_TOKENS, new_tokens=1)
    foreseen = answer(SHAPES[shape].config(), "none", "float32", questions, "cpu")
    bundle = load(shape)
    blip2 = bundle.blip2
    side = blip2.config.vision_config.image_size

    def read():
        with torch.no_grad():
            seen = blip2.vision_model(pixel_values=torch.randn(ROWS, 3, side, side)).last_hidden_state
            features = image_features(bundle, seen, asked(bundle))
            del seen
            batch = token_batch(bundle)
            inputs = {
                "inputs_embeds": prompt_embeddings(bundle, batch, features),
                "attention_mask": batch.attention_mask,
            }
            if bundle.is_causal:
                blip2.language_model(**inputs, logits_to_keep=1)
            else:
                inputs["decoder_input_ids"] = torch.ones(ROWS, 1, dtype=torch.int64)
                blip2.language_model(**inputs)

    assert foreseen.working == pytest.approx(allocated(read), rel=0.15)


def test_a_tensor_counts_until_nobody_holds_it():
    with LiveBytes() as live:
        one = torch.empty(10, 10, device=META)
        other = one * 2
        assert live.live == 800
        view = other.view(100)
        del other
        assert live.live == 800
        del view
        assert live.live == 400
    assert live.peak == 800
    assert one.shape == (10, 10)


def test_weights_that_are_there_are_not_counted_again():
    linear = torch.nn.Linear(8, 8, device="meta")
    with LiveBytes(linear) as live:
        linear.weight.t()
    assert live.live == 0


def test_work_counts_products_and_bytes():
    left, right = torch.empty(4, 8, device=META), torch.empty(8, 2, device=META)
    with LiveBytes() as live:
        left @ right
    assert live.work.flops == 2 * 4 * 8 * 2
    (operation,) = live.work.counts
    assert operation.moved == 4 * (4 * 8 + 8 * 2 + 4 * 2)
    assert (live.work * 3 + Work()).operations == 3


@pytest.mark.parametrize("where", ["cuda", "cpu"])
def test_fused_attention_never_holds_its_scores(where):
    tokens = 512
    query = torch.empty(1, 2, tokens, 16, device=META)
    with LiveBytes() as live, AsOn(where):
        scaled_dot_product_attention(query, query, query)
    assert live.peak < 4 * 2 * tokens * tokens
    assert live.work.flops == 2 * 2 * 2 * tokens * tokens * 16
