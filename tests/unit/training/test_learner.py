from dataclasses import replace

import pytest
import torch

from blip_core.modeling import load_blip2
from blip_core.modeling.features import VisionCache, decode_picture
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import IGNORED_LABEL
from blip_core.recipes.inference import Inference
from blip_core.training.learner import Aligned, Learner, collate
from blip_core.training.rows import RowSource, TrainingRow
from tests.tiny_blip2 import FolderOf, MakeExamples


@pytest.fixture(scope="module", params=["t5", "opt"])
def bundle(tiny_blip2: FolderOf, request: pytest.FixtureRequest) -> Blip2Bundle:
    return load_blip2(tiny_blip2(request.param))


@pytest.fixture(scope="module")
def rows(
    bundle: Blip2Bundle, make_examples: MakeExamples, inference_settings: Inference
) -> list[TrainingRow]:
    return RowSource(
        bundle, make_examples(5), inference_settings, 0.4, {}, max_text_tokens=200, seed=0
    ).epoch(0)


@pytest.fixture(scope="module")
def cache(bundle: Blip2Bundle, make_examples: MakeExamples) -> VisionCache:
    cache = VisionCache(bundle, batch_size=4)
    cache.add(make_examples(5))
    return cache


@pytest.mark.parametrize("task", ["caption", "vqa"])
def test_one_text_is_learnt_whole_and_two_by_their_answer(
    bundle: Blip2Bundle,
    cache: VisionCache,
    make_examples: MakeExamples,
    inference_settings: Inference,
    task: str,
) -> None:
    rows = [replace(one, task=task, target="a red bus") for one in make_examples(5)]
    posed = RowSource(bundle, rows, inference_settings, 0.0, {}, max_text_tokens=200, seed=0).epoch(0)

    labels = collate(bundle, cache, posed)["labels"]

    for label, row in zip(labels, posed, strict=True):
        words = row.prompt[bundle.query_count :] if bundle.family == "opt" else []
        assert label[label != IGNORED_LABEL].tolist() == words + row.target
        assert bundle.tokenizer.decode(row.target, skip_special_tokens=True).strip() == "a red bus"


def test_only_targets_are_learnt(bundle: Blip2Bundle, cache: VisionCache, rows: list[TrainingRow]) -> None:
    labels = collate(bundle, cache, rows)["labels"]

    for label, row in zip(labels, rows, strict=True):
        assert label[label != IGNORED_LABEL].tolist() == row.target


def test_opt_learns_its_targets_where_it_reads_them(
    tiny_blip2: FolderOf, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    bundle = load_blip2(tiny_blip2("opt"))
    cache = VisionCache(bundle, batch_size=4)
    cache.add(make_examples(5))
    source = RowSource(bundle, make_examples(5), inference_settings, 0.4, {}, max_text_tokens=200, seed=0)

    batch = collate(bundle, cache, source.epoch(0))

    learnt = batch["labels"] != IGNORED_LABEL
    assert torch.equal(batch["labels"][learnt], batch["input_ids"][learnt])
    assert not (learnt & (batch["input_ids"] == bundle.image_token_id)).any()


def test_the_loss_from_kept_features_is_the_model_s_own(
    bundle: Blip2Bundle, cache: VisionCache, rows: list[TrainingRow], make_examples: MakeExamples
) -> None:
    example, row = make_examples(1)[0], rows[0]
    batch = collate(bundle, cache, [row])
    pixels = bundle.processor.image_processor(decode_picture(example), return_tensors="pt")["pixel_values"]

    with torch.no_grad():
        ours = Learner(bundle)(**batch)["loss"]
        whole = bundle.blip2(
            pixel_values=pixels,
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=batch["labels"],
        ).loss

    assert float(ours) == pytest.approx(float(whole), rel=1e-5)


def test_pads_change_no_row_s_loss(bundle: Blip2Bundle, cache: VisionCache, rows: list[TrainingRow]) -> None:
    learner = Learner(bundle).eval()
    batch = collate(bundle, cache, rows)
    batch.pop("is_answer")

    with torch.no_grad():
        together = learner.align(**batch).row_losses().tolist()
        alone = [float(learner(**collate(bundle, cache, [row]))["loss"]) for row in rows]

    assert together == pytest.approx(alone, rel=1e-4)


def test_a_row_counts_as_a_row_however_long_its_target_is() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[0, 0, 1] = 5.0
    labels = torch.tensor([[1, IGNORED_LABEL, IGNORED_LABEL], [1, 2, 3]])

    losses = Aligned(logits, labels).row_losses()

    assert float(losses[1]) == pytest.approx(1.3863, abs=1e-4)
    assert losses.mean() == pytest.approx((float(losses[0]) + float(losses[1])) / 2)


def test_validation_counts_letters_as_ranking_does(
    bundle: Blip2Bundle, cache: VisionCache, make_examples: MakeExamples, inference_settings: Inference
) -> None:
    from blip_core.inference import predict

    settings = inference_settings.model_copy(update={"describe_prompt": "", "free_generation": False})
    examples = make_examples(5)
    source = RowSource(bundle, examples, settings, 0.0, {}, max_text_tokens=200, seed=0)

    metrics = Learner(bundle).validate([collate(bundle, cache, source.epoch(0))])

    predictions = predict(bundle, examples, settings, "x")
    assert metrics["validation_accuracy"] == sum(one.is_right for one in predictions) / len(predictions)
