"""Models that tell unsafe pictures: real classes with small random weights, and the bundled CLIP."""

import math

import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

from blip_core import pocket
from blip_core.backends.safety_checker import load_safety_checker
from blip_core.errors import CheckpointError, NotANumber
from blip_core.ports import SafetyChecker
from tests.unit.examples import world_pixels

PICTURES = [Image.fromarray(world_pixels(seed)) for seed in range(3)]


@pytest.fixture
def classifier(tmp_path):
    """A small ViT that takes bright pictures for unsafe: its head is all that decides."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        image_size=32,
        patch_size=16,
        id2label={0: "normal", 1: "NSFW"},
        label2id={"normal": 0, "NSFW": 1},
    )
    model = ViTForImageClassification(config)
    model.save_pretrained(tmp_path / "vit")
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit", model


def test_a_classifier_adds_up_the_probabilities_of_unsafe_labels(classifier):
    folder, model = classifier
    checker = load_safety_checker(folder, ("nsfw", "porn"), ())
    assert isinstance(checker, SafetyChecker)
    found = checker.unsafe(PICTURES)
    shown = ViTImageProcessorPil(size={"height": 32, "width": 32})(PICTURES, return_tensors="pt")
    with torch.inference_mode():
        expected = model.eval()(**shown).logits.softmax(-1)[:, 1]
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
    checker.close()


def test_labels_that_a_classifier_does_not_know_are_told_with_its_own(classifier):
    with pytest.raises(CheckpointError, match=r"none of the labels gore: it tells normal, NSFW; name those"):
        load_safety_checker(classifier[0], ("gore",), ())
    with pytest.raises(CheckpointError, match="nothing else of the labels normal, nsfw"):
        load_safety_checker(classifier[0], ("normal", "nsfw"), ())


def test_texts_stand_for_labels_where_a_model_embeds():
    checker = load_safety_checker(
        pocket.checkpoint("pocket/clip"), ("a red kite",), ("a blue boat", "a cake")
    )
    found = checker.unsafe(PICTURES)
    other = load_safety_checker(pocket.checkpoint("pocket/clip"), ("a blue boat", "a cake"), ("a red kite",))
    assert [one + two for one, two in zip(found, other.unsafe(PICTURES), strict=True)] == pytest.approx(
        [1] * 3
    )
    assert checker.unsafe([]) == []
    checker.close()


def test_another_model_is_refused_with_what_is_allowed():
    with pytest.raises(CheckpointError, match="CLIP or SigLIP"):
        load_safety_checker(pocket.checkpoint("pocket/blip2-t5"), ("nsfw",), ())


def test_a_probability_that_is_no_number_is_never_taken_for_safe(classifier):
    checker = load_safety_checker(classifier[0], ("nsfw",), ())
    with torch.no_grad():
        checker._model.classifier.bias.fill_(math.nan)
    with pytest.raises(NotANumber):
        checker.unsafe(PICTURES)
